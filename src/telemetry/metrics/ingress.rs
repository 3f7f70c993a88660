use prometheus::{Histogram, IntCounter};

use super::{BATCH, By, LATENCY, PublishResult, family::theme};

theme! {
    /// What the way from sockets to the queue counts.
    pub struct Ingress {
        /// Batches that were published.
        publishes_total: By<PublishResult, IntCounter>,
        /// From publishing a batch to its confirm.
        publish_confirm_seconds: Histogram = LATENCY,
        /// Messages of a published batch.
        publish_batch_messages: Histogram = BATCH,
    }
}
