use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Problems;

/// `[embedded]`: the backends of `tidings dev`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embedded {
    pub data_dir: PathBuf,
    pub readers: usize,
    pub queue_messages: usize,
    pub fake_push: bool,
}

impl Embedded {
    pub(super) fn check(&self, problems: &mut Problems) {
        if self.data_dir.as_os_str().is_empty() {
            problems.rule("embedded.data_dir must name a folder");
        }
        problems.at_least("embedded.readers", self.readers, 1);
        problems.at_least("embedded.queue_messages", self.queue_messages, 1);
    }
}
