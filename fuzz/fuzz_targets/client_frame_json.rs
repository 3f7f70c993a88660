//! A client's text frame: read or refused, and a refusal never says more `ref` than the limit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings::protocol::{ErrorCode, parse};

fuzz_target!(|bytes: &[u8]| {
    match parse(bytes) {
        Ok((reference, _)) => assert!(reference.is_none_or(|text| text.chars().count() <= 64)),
        Err(bad) => {
            assert!(matches!(bad.code, ErrorCode::BadRequest | ErrorCode::Unsupported));
            assert!(bad.reference.is_none_or(|text| text.chars().count() <= 64));
        }
    }
});
