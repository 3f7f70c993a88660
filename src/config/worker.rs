use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Problems, values};

/// `[worker]`: persist, fan out, notify.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    pub batch_rows: usize,
    #[serde(with = "values::size")]
    pub batch_bytes: usize,
    #[serde(with = "values::duration")]
    pub fanout_timeout: Duration,
    #[serde(with = "values::duration")]
    pub lease_ttl: Duration,
    #[serde(with = "values::duration")]
    pub lease_interval: Duration,
}

impl Worker {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.at_least("worker.batch_rows", self.batch_rows, 1);
        problems.at_least("worker.batch_bytes", self.batch_bytes, 64 * 1024);
        problems.positive("worker.fanout_timeout", self.fanout_timeout);
        problems.positive("worker.lease_interval", self.lease_interval);
        problems.less("worker.lease_interval", self.lease_interval, "worker.lease_ttl", self.lease_ttl);
    }
}
