//! Tidings: durable real-time messaging. Modules in the order in which a message meets them.

pub mod cli;
pub mod config;
pub mod lifecycle;
pub mod telemetry;
