//! Tidings: real-time messaging that keeps what it accepted. The modules stand in the order in which a message meets them.

pub mod model;
// protocol
pub mod fanout;
pub mod queue;
pub mod store;
