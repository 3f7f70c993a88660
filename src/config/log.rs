use serde::{Deserialize, Serialize};

use super::{Problems, values};

/// `[log]`: what is logged, to standard error.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    #[serde(with = "values::choice")]
    pub format: LogFormat,
    pub level: String,
}

/// For whom a log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Text,
    /// For machines: one object a line.
    Json,
}

impl Log {
    pub(super) fn check(&self, problems: &mut Problems) {
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&self.level) {
            problems.rule(format!("log.level \"{}\" is not understood: {error}", self.level));
        }
    }
}
