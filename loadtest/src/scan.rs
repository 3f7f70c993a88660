//! Reads the few fields that a load generator needs from a frame without parsing the rest.
//!
//! One pass over the outermost object; values stay slices of the frame. Whatever is unusual
//! (escapes in a needed value, white space, broken JSON) makes `Wire::scan` return `None`, and
//! the caller parses the frame properly.

use uuid::Uuid;

/// The outermost fields of a frame that anybody here asks for; strings without their quotes.
#[derive(Default, Debug, Clone, Copy)]
pub struct Wire<'a> {
    pub kind_of_frame: &'a [u8],
    pub conversation_id: Option<Uuid>,
    pub id: Option<Uuid>,
    pub client_id: Option<Uuid>,
    pub seq: Option<u32>,
    pub sender_id: &'a [u8],
    pub user_id: &'a [u8],
    pub kind: &'a [u8],
    pub code: &'a [u8],
    pub status: &'a [u8],
    pub after_ms: Option<u32>,
    pub done: bool,
}

impl<'a> Wire<'a> {
    pub fn scan(bytes: &'a [u8]) -> Option<Self> {
        let mut wire = Wire::default();
        let mut rest = bytes.strip_prefix(b"{")?;
        if rest == b"}" {
            return Some(wire);
        }
        loop {
            let (key, after) = string(rest)?;
            let after = after.strip_prefix(b":")?;
            let (value, after) = value(after)?;
            wire.take(key, value)?;
            match after.split_first()? {
                (b',', next) => rest = next,
                (b'}', _) => return Some(wire),
                _ => return None,
            }
        }
    }

    fn take(&mut self, key: &[u8], value: &'a [u8]) -> Option<()> {
        match key {
            b"type" => self.kind_of_frame = text(value)?,
            b"conversation_id" => self.conversation_id = Some(uuid(value)?),
            b"id" => self.id = Some(uuid(value)?),
            b"client_id" if value != b"null" => self.client_id = Some(uuid(value)?),
            b"seq" => self.seq = Some(number(value)?),
            b"sender_id" if value != b"null" => self.sender_id = text(value)?,
            b"user_id" => self.user_id = text(value)?,
            b"kind" => self.kind = text(value)?,
            b"code" => self.code = text(value)?,
            b"status" => self.status = text(value)?,
            b"after_ms" => self.after_ms = Some(number(value)?),
            b"done" => self.done = value == b"true",
            _ => {}
        }
        Some(())
    }
}

/// A string that begins at the front: its inside, still escaped, and what follows.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = bytes.strip_prefix(b"\"")?;
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', &inside[from..])?;
        if inside[at] == b'"' {
            return Some((&inside[..at], &inside[at + 1..]));
        }
        from = at + 2;
        if from > inside.len() {
            return None;
        }
    }
}

/// Any value at the front, raw, and what follows.
fn value(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    match bytes.first()? {
        b'"' => {
            let (_, after) = string(bytes)?;
            Some(bytes.split_at(bytes.len() - after.len()))
        }
        b'{' | b'[' => nested(bytes),
        _ => {
            let end = bytes.iter().position(|byte| matches!(byte, b',' | b'}' | b']'))?;
            Some(bytes.split_at(end))
        }
    }
}

fn nested(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut at, mut depth) = (0, 0u32);
    loop {
        match *bytes.get(at)? {
            b'"' => {
                let (_, after) = string(&bytes[at..])?;
                at = bytes.len() - after.len();
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(bytes.split_at(at + 1));
                }
            }
            _ => {}
        }
        at += 1;
    }
}

fn text(value: &[u8]) -> Option<&[u8]> {
    let inside = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    memchr::memchr(b'\\', inside).is_none().then_some(inside)
}

fn uuid(value: &[u8]) -> Option<Uuid> {
    Uuid::try_parse_ascii(text(value)?).ok()
}

fn number(value: &[u8]) -> Option<u32> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needed_fields_are_found_around_nested_and_escaped_ones() {
        let id = Uuid::from_u128(5);
        let frame = format!(
            r#"{{"type":"message","data":{{"id":"x","a":[1,{{"b":"}}]\""}}]}},"conversation_id":"{id}","seq":42,"text":"a \"quoted\" {{","sender_id":"u-7","id":"{id}","kind":"text","done":true}}"#
        );
        let wire = Wire::scan(frame.as_bytes()).unwrap();
        assert_eq!(wire.kind_of_frame, b"message");
        assert_eq!(wire.conversation_id, Some(id));
        assert_eq!((wire.seq, wire.id), (Some(42), Some(id)));
        assert_eq!((wire.sender_id, wire.kind), (&b"u-7"[..], &b"text"[..]));
        assert!(wire.done);
    }

    #[test]
    fn what_is_unusual_is_left_to_a_real_parser() {
        for frame in [
            r#"{"type": "message"}"#,
            r#"{"type":"mess\u0061ge"}"#,
            r#"{"type":"message""#,
            r#"{"seq":-1}"#,
            r#"{"a":[1,2}"#,
            "",
        ] {
            assert!(Wire::scan(frame.as_bytes()).is_none(), "{frame}");
        }
    }
}
