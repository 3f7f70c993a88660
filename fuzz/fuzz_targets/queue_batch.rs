//! A payload of the queue: a batch or refused, and a batch that was read is written and read as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings::queue::Batch;

fuzz_target!(|payload: &[u8]| {
    let Ok(batch) = Batch::decode(payload) else { return };
    let written = batch.encode();
    let again = Batch::decode(&written).expect("what we wrote we read");
    assert_eq!(again.entries().len(), batch.entries().len());
    assert_eq!(again.encode(), written);
});
