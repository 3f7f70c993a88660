//! What can go wrong at the queue.

use std::time::Duration;

/// Why a publish did not come back with a confirm.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PublishError {
    /// Not connected, or the broker blocks publishers (an alarm).
    #[error("the queue is unavailable: {reason}")]
    Unavailable { reason: String },
    /// The broker returned it: no queue took it.
    #[error("the broker returned the batch: {reason}")]
    Returned { reason: String },
    /// The broker refused it, as it does when the queue is full.
    #[error("the broker refused the batch")]
    Nacked,
    /// No confirm in time: it may or may not be there.
    #[error("no confirm within {0:?}")]
    TimedOut(Duration),
}

/// Why something else than a publish failed; all of it may work later.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    #[error("the queue is unavailable: {message}")]
    Unavailable {
        message: String,
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The consumer was taken away.
    #[error("the consumer is gone: {message}")]
    ConsumerGone { message: String },
}
