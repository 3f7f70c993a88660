//! How long the oldest message has waited, as the consumers of this worker see it.
//!
//! A partition is delivered in order, so the batch in hand is the oldest of its queue.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::model::Timestamp;
use crate::queue::Partition;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::QueueName;

/// How often the age is shown.
const EVERY: Duration = Duration::from_secs(1);

/// The oldest message that each partition of this worker has in hand. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting(Arc<Mutex<HashMap<Partition, Head>>>);

/// What a partition took last.
#[derive(Debug, Clone, Copy)]
struct Head {
    received_at: Timestamp,
    /// How old it was when it was done with; nothing while it is in hand.
    done_at_age: Option<Duration>,
}

impl Waiting {
    /// A partition has a batch in hand whose first message was received then.
    pub fn took(&self, partition: Partition, received_at: Timestamp) {
        self.heads().insert(partition, Head { received_at, done_at_age: None });
    }

    /// What it had in hand is stored and acknowledged.
    pub fn done(&self, partition: Partition) {
        if let Some(head) = self.heads().get_mut(&partition) {
            head.done_at_age = Some(Timestamp::now().since(head.received_at));
        }
    }

    /// This worker does not consume the partition any more.
    pub fn left(&self, partition: Partition) {
        self.heads().remove(&partition);
    }

    /// The age of the oldest message. A partition whose batches came and went since the last look counts with the last of them, so
    /// that a queue that is far behind does not look empty between two batches.
    fn oldest(&self) -> Duration {
        let now = Timestamp::now();
        let mut heads = self.heads();
        let ages = heads.values().map(|head| head.done_at_age.unwrap_or_else(|| now.since(head.received_at)));
        let oldest = ages.max().unwrap_or_default();
        heads.retain(|_, head| head.done_at_age.is_none());
        oldest
    }

    /// Shows the age until `stop`, then nothing any more.
    pub async fn show(self, metrics: Arc<Metrics>, stop: CancellationToken) {
        let gauge = metrics.queues.oldest_message_age_seconds.get(QueueName::Inbound);
        while !stop.is_cancelled() {
            gauge.set(self.oldest().as_secs_f64());
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
        gauge.set(0.0);
    }

    /// A holder that panicked left whole values behind.
    fn heads(&self) -> MutexGuard<'_, HashMap<Partition, Head>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;
    use crate::queue::Partitions;

    fn seconds_ago(seconds: i64) -> Timestamp {
        Timestamp::from_millis(Timestamp::now().as_millis() - seconds * 1000)
    }

    fn two_partitions() -> [Partition; 2] {
        let all: Vec<_> = Partitions::new(NonZeroU16::new(2).unwrap()).all().collect();
        [all[0], all[1]]
    }

    #[test]
    fn the_oldest_of_all_partitions_counts_while_it_is_in_hand() {
        let [one, two] = two_partitions();
        let waiting = Waiting::default();
        assert_eq!(waiting.oldest(), Duration::ZERO);
        waiting.took(one, seconds_ago(5));
        waiting.took(two, seconds_ago(60));
        assert_eq!(waiting.oldest().as_secs(), 60);
        assert_eq!(waiting.oldest().as_secs(), 60);
        waiting.left(two);
        assert_eq!(waiting.oldest().as_secs(), 5);
    }

    #[test]
    fn a_batch_that_came_and_went_between_two_looks_is_seen_once() {
        let [one, _] = two_partitions();
        let waiting = Waiting::default();
        waiting.took(one, seconds_ago(40));
        waiting.done(one);
        assert_eq!(waiting.oldest().as_secs(), 40);
        assert_eq!(waiting.oldest(), Duration::ZERO);
    }
}
