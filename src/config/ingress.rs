use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Problems, values};

/// `[ingress]`: how messages are gathered into batches for the queue.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ingress {
    pub batch_messages: usize,
    #[serde(with = "values::size")]
    pub batch_bytes: usize,
    #[serde(with = "values::duration")]
    pub linger: Duration,
    pub linger_above_per_second: u32,
    #[serde(with = "values::duration")]
    pub max_wait: Duration,
    pub queue_messages: usize,
    #[serde(with = "values::size")]
    pub queue_bytes: usize,
    #[serde(with = "values::duration")]
    pub confirm_timeout: Duration,
}

impl Ingress {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.at_least("ingress.batch_messages", self.batch_messages, 1);
        problems.positive("ingress.confirm_timeout", self.confirm_timeout);
        problems.less("ingress.linger", self.linger, "ingress.max_wait", self.max_wait);
        problems.at_least("ingress.queue_messages", self.queue_messages, self.batch_messages);
        problems.at_least("ingress.queue_bytes", self.queue_bytes, self.batch_bytes);
    }
}
