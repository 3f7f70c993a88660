use prometheus::Histogram;

use super::{BATCH, By, LATENCY, Stage, family::theme};

theme! {
    /// What a worker counts.
    pub struct Worker {
        /// Time that a batch spends in each step.
        processing_seconds: By<Stage, Histogram> = LATENCY,
        /// Messages of one database transaction.
        persist_batch_messages: Histogram = BATCH,
        /// From accepting a message to committing it.
        store_seconds: Histogram = LATENCY,
        /// Users whom an entry is delivered to.
        fanout_recipients: Histogram = &[1.0, 10.0, 100.0, 1000.0, 10000.0],
    }
}
