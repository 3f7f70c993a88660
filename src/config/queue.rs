use serde::{Deserialize, Serialize};

use super::{Problems, values};

/// `[queue]`: the partitions between gateways and workers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    pub partitions: u16,
    #[serde(with = "values::size")]
    pub max_length_bytes: usize,
    pub delivery_limit: u32,
    pub prefetch: u16,
}

impl Queue {
    pub(super) fn check(&self, problems: &mut Problems) {
        if !(1..=256).contains(&self.partitions) {
            problems.rule(format!("queue.partitions must be 1 to 256, not {}", self.partitions));
        }
        problems.at_least("queue.max_length_bytes", self.max_length_bytes, 1 << 20);
        problems.at_least("queue.delivery_limit", self.delivery_limit as usize, 1);
        problems.at_least("queue.prefetch", self.prefetch as usize, 1);
    }
}
