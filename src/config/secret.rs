use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Text that must not be seen: Debug, Display and Serialize print `***`.
///
/// Of an address such as `postgres://user:password@host/db` only the password, and what the
/// query names like one, is hidden, so that a log line still says which host it is about.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The text itself. Never log it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn masked(&self) -> String {
        mask_url(&self.0).unwrap_or_else(|| "***".to_owned())
    }
}

/// `None` when the text is no address with a host.
fn mask_url(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    if scheme.is_empty() || !scheme.bytes().all(is_scheme) {
        return None;
    }
    // Split at the last `@`, wherever it is: a password with an unescaped `/` or `@` in it is
    // then hidden whole, and at worst too much is.
    let (user, tail) = match rest.rsplit_once('@') {
        Some((userinfo, tail)) => match userinfo.split_once(':') {
            Some((user, _)) => (format!("{user}:***@"), tail),
            None => (format!("{userinfo}@"), tail),
        },
        None => (String::new(), rest),
    };
    let (place, query) = match tail.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (tail, None),
    };
    if place.is_empty() {
        return None;
    }
    let mut masked = format!("{scheme}://{user}{place}");
    for (index, pair) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
        masked.push(if index == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some((key, _)) if names_a_secret(key) => masked.push_str(&format!("{key}=***")),
            _ => masked.push_str(pair),
        }
    }
    Some(masked)
}

fn names_a_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["pass", "secret", "token", "key", "pwd"].iter().any(|word| key.contains(word))
}

impl fmt::Debug for Secret {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.masked())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.masked())
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.masked())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_prints_stars() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn an_address_keeps_its_host_and_hides_its_password() {
        for (url, printed) in [
            ("postgres://app:hunter2@db.example:5432/chat", "postgres://app:***@db.example:5432/chat"),
            ("redis://:hunter2@cache/0", "redis://:***@cache/0"),
            ("amqp://app@mq", "amqp://app@mq"),
            ("amqps://mq:5671/%2f", "amqps://mq:5671/%2f"),
            (
                "postgres://db/chat?user=a&password=hunter2&sslmode=require",
                "postgres://db/chat?user=a&password=***&sslmode=require",
            ),
        ] {
            assert_eq!(Secret::new(url).to_string(), printed);
        }
    }

    #[test]
    fn a_password_with_reserved_characters_does_not_leak() {
        for url in [
            "postgres://app:hun/ter2@db/chat",
            "postgres://app:hun@ter2@db/chat",
            "postgres://app:hun?ter2@db/chat",
            "postgres://app:hun#ter2@db/chat",
        ] {
            let printed = Secret::new(url).to_string();
            assert_eq!(printed, "postgres://app:***@db/chat");
        }
        assert_eq!(Secret::new("host=db password=hunter2").to_string(), "***");
        assert_eq!(Secret::new("://hunter2").to_string(), "***");
    }
}
