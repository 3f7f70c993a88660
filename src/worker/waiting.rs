//! How long the oldest message has waited, as the consumers of this worker see it.
//!
//! A partition is delivered in order, so the batch in hand is the oldest of its queue.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::queue::{Partition, Waiting};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::ConsumedQueue;

/// How often the age is shown.
const EVERY: Duration = Duration::from_secs(1);

/// Shows the age until `stop`, then nothing any more.
pub(super) async fn show(waiting: Waiting<Partition>, metrics: Arc<Metrics>, stop: CancellationToken) {
    let gauge = metrics.queues.oldest_message_age_seconds.get(ConsumedQueue::Inbound);
    while !stop.is_cancelled() {
        gauge.set(waiting.oldest().as_secs_f64());
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
    gauge.set(0.0);
}
