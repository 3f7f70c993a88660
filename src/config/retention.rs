use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Problems, values};

/// `[retention]`: deleting old messages.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Zero: messages are kept for ever.
    #[serde(with = "values::duration")]
    pub messages: Duration,
    pub batch: u32,
    #[serde(with = "values::duration")]
    pub interval: Duration,
}

impl Retention {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.at_least("retention.batch", self.batch as usize, 1);
        problems.positive("retention.interval", self.interval);
    }
}
