use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Problems, Secret, values};

/// `[fcm]`: Firebase Cloud Messaging, HTTP v1.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fcm {
    #[serde(with = "values::optional")]
    pub base_url: Option<String>,
    #[serde(with = "values::optional")]
    pub service_account_file: Option<PathBuf>,
    #[serde(with = "values::optional")]
    pub project: Option<String>,
    #[serde(with = "values::optional")]
    pub ca_file: Option<PathBuf>,
    #[serde(with = "values::optional")]
    pub proxy: Option<Secret>,
}

impl Fcm {
    /// Whether pushes go to Google.
    pub fn is_configured(&self) -> bool {
        self.service_account_file.is_some()
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        problems.http_url("fcm.base_url", self.base_url.as_deref());
        problems.scheme("fcm.proxy", self.proxy.as_ref(), &["http", "https"]);
        problems.file("fcm.service_account_file", self.service_account_file.as_deref());
        problems.file("fcm.ca_file", self.ca_file.as_deref());
    }
}
