//! How durations, sizes, addresses and "not set" are written: modules for `#[serde(with)]`.

/// `500ms`, `10s`, `1h30m`: whole numbers with units, as humantime has them.
pub mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(from)?;
        parse(&text).ok_or_else(|| D::Error::custom("expected a duration such as 500ms, 10s or 1h30m"))
    }

    pub fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&write(*value))
    }

    fn parse(text: &str) -> Option<Duration> {
        // humantime reads fractions, but 1.5s is not how it would be printed again.
        if text.contains('.') { None } else { humantime::parse_duration(text).ok() }
    }

    /// As people write it: `1h30m`, without the spaces of humantime.
    fn write(value: Duration) -> String {
        humantime::format_duration(value).to_string().replace(' ', "")
    }
}

/// `512`, `64KiB`, `1MiB`, `2GiB`.
pub mod size {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    const UNITS: [(&str, usize); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
        // The configuration's values turn numbers into text when text is asked for.
        parse(&String::deserialize(from)?)
            .ok_or_else(|| D::Error::custom("expected a size such as 512, 64KiB or 1MiB"))
    }

    pub fn serialize<S: Serializer>(value: &usize, to: S) -> Result<S::Ok, S::Error> {
        let unit = UNITS[..3].iter().find(|(_, bytes)| *value >= *bytes && value.is_multiple_of(*bytes));
        match unit {
            Some((name, bytes)) => to.serialize_str(&format!("{}{name}", value / bytes)),
            None => to.serialize_str(&value.to_string()),
        }
    }

    fn parse(text: &str) -> Option<usize> {
        let unit = UNITS.iter().find_map(|(name, bytes)| Some((text.strip_suffix(name)?, *bytes)));
        let (number, bytes) = unit.unwrap_or((text, 1));
        let number = number.trim_end();
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        if digits { number.parse::<usize>().ok()?.checked_mul(bytes) } else { None }
    }

    #[cfg(test)]
    mod tests {
        use super::parse;

        #[test]
        fn sizes_are_whole_numbers_with_binary_units() {
            assert_eq!(parse("512"), Some(512));
            assert_eq!(parse("512B"), Some(512));
            assert_eq!(parse("64KiB"), Some(65_536));
            assert_eq!(parse("1 MiB"), Some(1_048_576));
            assert_eq!(parse("3GiB"), Some(3_221_225_472));
            for wrong in
                ["", "KiB", "1.5MiB", "-1", "+1", "64KB", "64k", "99999999999999999999", "17179869184GiB"]
            {
                assert_eq!(parse(wrong), None, "{wrong}");
            }
        }
    }
}

/// `127.0.0.1:8080`, `[::]:8080`.
pub mod address {
    use std::net::SocketAddr;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
        String::deserialize(from)?.parse().map_err(|_| {
            D::Error::custom("expected an address and a port such as 127.0.0.1:8080 or [::]:8080")
        })
    }

    pub fn serialize<S: Serializer>(value: &SocketAddr, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }
}

/// One word of a closed set.
pub mod choice {
    use serde::{
        Deserialize, Deserializer, Serialize, Serializer,
        de::{DeserializeOwned, IntoDeserializer},
    };

    pub fn deserialize<'de, D, T>(from: D) -> Result<T, D::Error>
    where
        D: Deserializer<'de>,
        T: DeserializeOwned,
    {
        // By way of text, because its error lists the words that are allowed.
        T::deserialize(String::deserialize(from)?.into_deserializer())
    }

    pub fn serialize<S, T>(value: &T, to: S) -> Result<S::Ok, S::Error>
    where
        S: Serializer,
        T: Serialize,
    {
        value.serialize(to)
    }
}

/// Text that is absent when it is empty.
pub mod optional {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn deserialize<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
    where
        D: Deserializer<'de>,
        T: From<String>,
    {
        let text = String::deserialize(from)?;
        Ok(if text.is_empty() { None } else { Some(T::from(text)) })
    }

    pub fn serialize<S, T>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error>
    where
        S: Serializer,
        T: Serialize,
    {
        match value {
            Some(value) => value.serialize(to),
            None => to.serialize_str(""),
        }
    }
}
