//! Tidings: real-time messaging that keeps what it accepted. The modules stand in the order in which a message meets them.

pub mod api;
pub mod auth;
pub mod cli;
pub mod config;
pub mod fanout;
pub mod gateway;
pub mod lifecycle;
pub mod model;
pub mod protocol;
pub mod push;
pub mod queue;
pub mod roles;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod worker;
