use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Problems, values};

/// `[drain]`: stopping without a storm.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drain {
    #[serde(with = "values::duration")]
    pub readiness_delay: Duration,
    #[serde(with = "values::duration")]
    pub window: Duration,
    #[serde(with = "values::duration")]
    pub flush_timeout: Duration,
}

impl Drain {
    /// Longest time from the signal to the end of the process.
    pub fn total(&self) -> Duration {
        self.readiness_delay + self.window + self.flush_timeout
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        problems.positive("drain.flush_timeout", self.flush_timeout);
    }
}
