//! What tests stand on.

pub mod authority;
pub mod client;
pub mod deflating;
pub mod load;
pub mod postgres;
pub mod proxy;
pub mod push;
pub mod server;
#[allow(dead_code, reason = "a tool box: not every fault has a test yet")]
pub mod stack;
pub mod world;
