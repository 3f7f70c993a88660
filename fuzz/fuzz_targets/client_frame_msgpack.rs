//! A client's binary frame: what is read as JSON is JSON, and comes back through MessagePack as it was.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tidings::protocol::{Encoding, parse};

fuzz_target!(|frame: &[u8]| {
    let Some(json) = Encoding::MessagePack.to_json(frame) else { return };
    let value: Value = serde_json::from_slice(&json).expect("what was read is JSON");
    // Whether it is a frame is of no interest here, only that it is told.
    let _ = parse(&json);
    let packed = Encoding::MessagePack.from_json(&Bytes::copy_from_slice(&json));
    let again = Encoding::MessagePack.to_json(&packed).expect("our own MessagePack is read");
    assert_eq!(serde_json::from_slice::<Value>(&again).expect("and is JSON"), value);
});
