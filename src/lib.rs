//! Tidings: real-time messaging that keeps what it accepted. The modules stand in the order in which a message meets them.

pub mod cli;
pub mod config;
pub mod telemetry;
pub mod lifecycle;
pub mod model;
pub mod protocol;
pub mod tls;
pub mod auth;
pub mod gateway;
pub mod api;
pub mod queue;
pub mod worker;
pub mod store;
pub mod fanout;
