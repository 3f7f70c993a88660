//! Tidings: durable real-time messaging. Modules in the order in which a message meets them.

pub mod config;
pub mod telemetry;
