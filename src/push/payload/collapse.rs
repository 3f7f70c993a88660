use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// Apple's limit in bytes.
const MAX_COLLAPSE_ID: usize = 64;

/// An `apns-collapse-id` of at most 64 bytes: the id itself, or its digest where it is longer.
pub fn collapse_id(id: &str) -> Cow<'_, str> {
    if id.len() <= MAX_COLLAPSE_ID && id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Cow::Borrowed(id);
    }
    let mut hex = String::with_capacity(MAX_COLLAPSE_ID);
    for byte in Sha256::digest(id) {
        write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
    }
    Cow::Owned(hex)
}

/// A Web Push `Topic`: at most 32 characters of the URL-safe base64 alphabet (RFC 8030, section 5.4).
pub fn web_topic(id: &str) -> String {
    // 24 bytes of the digest are exactly 32 such characters.
    BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(id)[..24])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collapse_id_is_short_and_still_the_same_for_the_same_thing() {
        assert_eq!(collapse_id("room"), "room");
        let long = collapse_id(&"x".repeat(65)).into_owned();
        assert_eq!(long.len(), 64);
        assert_ne!(long, collapse_id(&"x".repeat(66)));
        assert_eq!(web_topic("room").len(), 32);
        assert_ne!(web_topic("room"), web_topic("moor"));
    }
}
