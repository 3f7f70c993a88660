//! Dead letters: what could not be stored, kept for an operator to read and replay.

use async_trait::async_trait;
use bytes::Bytes;

use super::QueueError;
use crate::model::Timestamp;

/// Names a dead letter while it is in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LetterId(pub String);

/// Something that could not be processed.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    pub id: LetterId,
    /// The payload as it was published; may be undecodable.
    pub payload: Bytes,
    /// Why it is here, in words for an operator.
    pub reason: String,
    /// The partition it came from, as a number, or the name of the push queue.
    pub source: String,
    pub dead_at: Timestamp,
}

/// What a replay did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Published again to where they came from, and confirmed.
    pub replayed: usize,
    /// Left where they are.
    pub left: usize,
}

#[async_trait]
pub trait DeadLetters {
    /// Puts a payload aside and returns once that is durable.
    async fn bury(&self, payload: Bytes, reason: &str, source: &str) -> Result<(), QueueError>;

    /// The oldest dead letters, at most `limit`, without taking them away.
    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, QueueError>;

    /// Publishes dead letters again to where they came from: those of `ids`, or all of them when `ids` is empty. Each is removed
    /// only after its publish was confirmed, so a kill in between repeats one rather than loses it.
    async fn replay(&self, ids: &[LetterId]) -> Result<Replayed, QueueError>;
}
