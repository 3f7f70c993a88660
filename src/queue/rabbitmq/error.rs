//! What the client library says, in the words of the port.

use crate::queue::{PublishError, QueueError};

/// Not connected now.
pub(super) fn unavailable(message: impl Into<String>) -> QueueError {
    QueueError::Unavailable { message: message.into(), source: None }
}

/// A step that failed, with the library's reason.
pub(super) fn failed(step: &str, error: lapin::Error) -> QueueError {
    QueueError::Unavailable { message: format!("{step}: {error}"), source: Some(Box::new(error)) }
}

pub(super) fn not_published(error: impl std::fmt::Display) -> PublishError {
    PublishError::Unavailable { reason: error.to_string() }
}

/// A publish on behalf of something that is not the ingress.
pub(super) fn from_publish(error: PublishError) -> QueueError {
    QueueError::Unavailable { message: error.to_string(), source: Some(Box::new(error)) }
}

/// The message alone, to be the reason of something else.
pub(super) fn in_words(error: QueueError) -> String {
    match error {
        QueueError::Unavailable { message, .. } | QueueError::ConsumerGone { message } => message,
    }
}
