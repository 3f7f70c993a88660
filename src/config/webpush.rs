use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Problems, Secret, values};

/// `[webpush]`: push services of browsers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebPush {
    #[serde(with = "values::optional")]
    pub vapid_private_key: Option<Secret>,
    #[serde(with = "values::optional")]
    pub subject: Option<String>,
    #[serde(with = "values::optional")]
    pub base_url: Option<String>,
    pub allowed_hosts: Vec<String>,
    #[serde(with = "values::optional")]
    pub ca_file: Option<PathBuf>,
    #[serde(with = "values::optional")]
    pub proxy: Option<Secret>,
}

impl WebPush {
    /// Whether pushes go to browsers.
    pub fn is_configured(&self) -> bool {
        self.vapid_private_key.is_some()
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        problems.http_url("webpush.base_url", self.base_url.as_deref());
        problems.scheme("webpush.proxy", self.proxy.as_ref(), &["http", "https"]);
        problems.file("webpush.ca_file", self.ca_file.as_deref());
        problems.both_or_neither(
            ("webpush.vapid_private_key", self.vapid_private_key.is_some()),
            ("webpush.subject", self.subject.is_some()),
        );
        if let Some(subject) = &self.subject
            && !subject.starts_with("mailto:")
            && !subject.starts_with("https://")
        {
            problems.rule("webpush.subject must begin with mailto: or https:// (RFC 8292)");
        }
    }
}
