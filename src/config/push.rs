use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Problems, values};

/// `[push]`: whether and how to push.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Push {
    pub enabled: bool,
    #[serde(with = "values::duration")]
    pub ack_deadline: Duration,
    pub burst: u32,
    #[serde(with = "values::duration")]
    pub summary_interval: Duration,
    #[serde(with = "values::duration")]
    pub expiry: Duration,
    #[serde(with = "values::choice")]
    pub payload: PushPayload,
    /// Zero: at once.
    #[serde(with = "values::duration")]
    pub hold_until_unread: Duration,
    pub max_invalid_ratio: f64,
    pub concurrency: usize,
    /// 0: no limit.
    pub requests_per_second: u32,
    #[serde(with = "values::duration")]
    pub request_timeout: Duration,
    #[serde(with = "values::duration")]
    pub retry_max: Duration,
    pub device_cache: usize,
    #[serde(with = "values::optional")]
    pub service_url: Option<String>,
    pub title_direct: String,
    pub title_group: String,
    pub body: String,
    pub body_hidden: String,
    pub summary: String,
}

/// What a provider, and whoever reads its traffic, gets to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PushPayload {
    /// Title and text.
    Full,
    /// Title only.
    Title,
    /// Ids only; the app fetches the rest.
    Ids,
}

impl Push {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.less("push.ack_deadline", self.ack_deadline, "push.expiry", self.expiry);
        problems.less("push.request_timeout", self.request_timeout, "push.expiry", self.expiry);
        problems.positive("push.request_timeout", self.request_timeout);
        problems.positive("push.summary_interval", self.summary_interval);
        problems.at_least("push.burst", self.burst as usize, 1);
        problems.at_least("push.concurrency", self.concurrency, 1);
        problems.at_least("push.device_cache", self.device_cache, 1);
        if self.retry_max < Duration::from_secs(1) {
            problems.rule("push.retry_max must be at least 1s, where pauses begin");
        }
        if !(0.0..=1.0).contains(&self.max_invalid_ratio) {
            problems.rule("push.max_invalid_ratio must be a share from 0 to 1");
        }
        problems.http_url("push.service_url", self.service_url.as_deref());
        for (key, template) in [
            ("push.title_direct", &self.title_direct),
            ("push.title_group", &self.title_group),
            ("push.body", &self.body),
            ("push.body_hidden", &self.body_hidden),
            ("push.summary", &self.summary),
        ] {
            problems.template(key, template, &["sender", "conversation", "text", "count"]);
        }
    }
}
