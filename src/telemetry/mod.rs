//! What operators see: metrics declared once, logs, and the port that serves metrics and health.

pub mod health;
pub mod log;
pub mod metrics;
pub mod ops;

pub use self::{
    health::{Check, Gate, Health},
    metrics::Metrics,
};
