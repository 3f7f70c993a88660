//! Tidings: real-time messaging that keeps what it accepted. The modules stand in the order in which a message meets them.

pub mod auth;
pub mod config;
pub mod fanout;
pub mod model;
pub mod protocol;
pub mod queue;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod worker;
