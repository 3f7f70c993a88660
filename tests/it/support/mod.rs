//! What several tests need.

#[allow(dead_code, reason = "a tool box: not every fault has a test yet")]
pub mod stack;
