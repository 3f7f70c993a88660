//! What tests stand on.

pub mod postgres;
pub mod proxy;
#[allow(dead_code, reason = "a tool box: not every fault has a test yet")]
pub mod stack;
