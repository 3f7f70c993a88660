use prometheus::{Gauge, IntCounter, IntGauge};

use super::{By, By2, ConsumeResult, ConsumedQueue, DeadReason, QueueName, QueueState, family::theme};

theme! {
    /// What consumers of queues see of them.
    pub struct Queues {
        /// Messages that were taken from a queue and are done with.
        consumed_messages_total: By2<ConsumedQueue, ConsumeResult, IntCounter>,
        /// What waits in a queue: `ready` as the broker counts, `unacknowledged` what this process took and is not done with.
        queue_messages: By2<QueueName, QueueState, IntGauge>,
        /// Age of the oldest message that a consumer of this process has in hand or took last, a job that had to wait since it was due;
        /// 0 when nothing waits. Dead letters wait for a person, so their age says nothing.
        oldest_message_age_seconds: By<ConsumedQueue, Gauge>,
        /// Messages that were set aside for an operator, by the queue they came from.
        dead_lettered_messages_total: By2<ConsumedQueue, DeadReason, IntCounter>,
    }
}
