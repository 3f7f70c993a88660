use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Problems, Secret, values};

/// `[apns]`: Apple Push Notification service.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Apns {
    #[serde(with = "values::optional")]
    pub base_url: Option<String>,
    #[serde(with = "values::optional")]
    pub key_file: Option<PathBuf>,
    #[serde(with = "values::optional")]
    pub key_id: Option<String>,
    #[serde(with = "values::optional")]
    pub key_id_file: Option<PathBuf>,
    #[serde(with = "values::optional")]
    pub team_id: Option<String>,
    #[serde(with = "values::optional")]
    pub cert_file: Option<PathBuf>,
    #[serde(with = "values::optional")]
    pub cert_key_file: Option<PathBuf>,
    #[serde(with = "values::optional")]
    pub default_topic: Option<String>,
    pub topics: Vec<String>,
    #[serde(with = "values::optional")]
    pub ca_file: Option<PathBuf>,
    #[serde(with = "values::optional")]
    pub proxy: Option<Secret>,
    pub connections: usize,
    pub streams_per_connection: usize,
}

impl Apns {
    /// Whether pushes go to Apple.
    pub fn is_configured(&self) -> bool {
        self.key_file.is_some() || self.cert_file.is_some()
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        problems.http_url("apns.base_url", self.base_url.as_deref());
        problems.scheme("apns.proxy", self.proxy.as_ref(), &["http", "https"]);
        for (key, file) in [
            ("apns.key_file", &self.key_file),
            ("apns.key_id_file", &self.key_id_file),
            ("apns.cert_file", &self.cert_file),
            ("apns.cert_key_file", &self.cert_key_file),
            ("apns.ca_file", &self.ca_file),
        ] {
            problems.file(key, file.as_deref());
        }
        let key = ("apns.key_file", self.key_file.is_some());
        let key_id = self.key_id.is_some() || self.key_id_file.is_some();
        problems.both_or_neither(key, ("apns.key_id or apns.key_id_file", key_id));
        if self.key_id.is_some() && self.key_id_file.is_some() {
            problems.rule("apns.key_id and apns.key_id_file are both set: say it in one place");
        }
        problems.both_or_neither(key, ("apns.team_id", self.team_id.is_some()));
        problems.both_or_neither(
            ("apns.cert_file", self.cert_file.is_some()),
            ("apns.cert_key_file", self.cert_key_file.is_some()),
        );
        if self.key_file.is_some() && self.cert_file.is_some() {
            problems.rule("apns.key_file and apns.cert_file are both set: choose one way to sign in");
        }
        problems.at_least("apns.connections", self.connections, 1);
        problems.at_least("apns.streams_per_connection", self.streams_per_connection, 1);
    }
}
