//! The two encodings of frames: compact JSON in text frames, MessagePack with the same field names in binary ones.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::Value;

pub const JSON_SUBPROTOCOL: &str = "tidings.v1.json";
pub const MSGPACK_SUBPROTOCOL: &str = "tidings.v1.msgpack";

/// How a socket's frames are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    Json,
    MessagePack,
}

/// How deep maps and arrays may nest; `serde_json` stops there too.
const MAX_DEPTH: usize = 127;

impl Encoding {
    /// The JSON of a client's MessagePack frame; `None` when it is none, or holds what JSON cannot (binary, extensions).
    pub fn to_json(self, frame: &[u8]) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Json => Some(Cow::Borrowed(frame)),
            Self::MessagePack => {
                let mut rest = frame;
                let value = rmpv::decode::read_value_with_max_depth(&mut rest, MAX_DEPTH).ok()?;
                if !rest.is_empty() {
                    return None;
                }
                let json = json_of(value)?;
                serde_json::to_vec(&json).ok().map(Cow::Owned)
            }
        }
    }

    /// One of our own JSON frames in this encoding.
    pub fn from_json(self, json: &Bytes) -> Bytes {
        match self {
            Self::Json => json.clone(),
            Self::MessagePack => {
                let value: Value = serde_json::from_slice(json).expect("our own frames are JSON");
                Bytes::from(rmp_serde::to_vec_named(&value).expect("JSON always fits into MessagePack"))
            }
        }
    }
}

fn json_of(value: rmpv::Value) -> Option<Value> {
    Some(match value {
        rmpv::Value::Nil => Value::Null,
        rmpv::Value::Boolean(value) => Value::Bool(value),
        rmpv::Value::Integer(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => number.into(),
            (None, Some(number)) => number.into(),
            (None, None) => return None,
        },
        rmpv::Value::F32(number) => serde_json::Number::from_f64(f64::from(number)).map(Value::Number)?,
        rmpv::Value::F64(number) => serde_json::Number::from_f64(number).map(Value::Number)?,
        rmpv::Value::String(text) => Value::String(text.into_str()?),
        rmpv::Value::Array(items) => Value::Array(items.into_iter().map(json_of).collect::<Option<_>>()?),
        rmpv::Value::Map(pairs) => {
            let mut object = serde_json::Map::with_capacity(pairs.len());
            for (key, value) in pairs {
                let rmpv::Value::String(key) = key else { return None };
                if object.insert(key.into_str()?, json_of(value)?).is_some() {
                    return None;
                }
            }
            Value::Object(object)
        }
        rmpv::Value::Binary(_) | rmpv::Value::Ext(..) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_messagepack_frame_means_what_its_json_means() {
        let json = Bytes::from_static(
            br#"{"type":"send","data":{"a":[1,-2,3.5,null,true,"x"]},"seq":18446744073709551615}"#,
        );
        let packed = Encoding::MessagePack.from_json(&json);
        let back = Encoding::MessagePack.to_json(&packed).unwrap();
        let (one, other): (Value, Value) =
            (serde_json::from_slice(&json).unwrap(), serde_json::from_slice(&back).unwrap());
        assert_eq!(one, other);
    }

    #[test]
    fn a_fraction_is_the_same_number_in_both_encodings() {
        // Read digit by digit, each of these comes out as its neighbour.
        for written in
            ["51.24817875379429", "122.416294033786585", "2.6383446160308239e-256", "0.30000000000000004"]
        {
            let number: f64 = written.parse().unwrap();
            let json = Bytes::from(format!(r#"{{"data":{number:?}}}"#));
            let packed = Encoding::MessagePack.from_json(&json);
            let rmpv::Value::Map(pairs) = rmpv::decode::read_value(&mut &packed[..]).unwrap() else {
                panic!()
            };
            assert_eq!(pairs[0].1, rmpv::Value::F64(number), "{number}");
            assert_eq!(&*Encoding::MessagePack.to_json(&packed).unwrap(), &json[..]);
        }
    }

    #[test]
    fn rubbish_binary_and_trailing_bytes_are_refused() {
        for frame in [&b"\xc4\x01a"[..], b"\x01\x01", b"\x82\xa1a\x01\xa1a\x02", b""] {
            assert!(Encoding::MessagePack.to_json(frame).is_none(), "{frame:?}");
        }
    }

    #[test]
    fn nesting_without_end_is_refused() {
        assert!(Encoding::MessagePack.to_json(&[0x91; 60_000]).is_none());
    }
}
