//! What can go wrong at the fan-out.

/// Why an event may not have reached its gateways, or a route may not be known.
#[derive(Debug, thiserror::Error)]
pub enum FanoutError {
    /// It does not answer, or not in time: try again.
    #[error("the fan-out is unavailable: {message}")]
    Unavailable {
        message: String,
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}
