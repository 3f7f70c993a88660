use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Problems, Secret, values};

/// `[redis]`: routes, live delivery and presence of the distributed roles.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    #[serde(with = "values::optional")]
    pub url: Option<Secret>,
    #[serde(with = "values::optional")]
    pub ca_file: Option<PathBuf>,
    pub cluster: bool,
    pub prefix: String,
    pub pool_size: usize,
    #[serde(with = "values::duration")]
    pub command_timeout: Duration,
    #[serde(with = "values::duration")]
    pub connect_timeout: Duration,
    #[serde(with = "values::duration")]
    pub reconnect_max: Duration,
    #[serde(with = "values::duration")]
    pub lease_ttl: Duration,
    #[serde(with = "values::duration")]
    pub lease_interval: Duration,
}

impl Redis {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.scheme("redis.url", self.url.as_ref(), &["redis", "rediss", "valkey", "valkeys"]);
        problems.file("redis.ca_file", self.ca_file.as_deref());
        problems.prefix("redis.prefix", &self.prefix);
        problems.at_least("redis.pool_size", self.pool_size, 1);
        problems.positive("redis.command_timeout", self.command_timeout);
        problems.positive("redis.connect_timeout", self.connect_timeout);
        problems.positive("redis.reconnect_max", self.reconnect_max);
        problems.positive("redis.lease_interval", self.lease_interval);
        problems.less("redis.lease_interval", self.lease_interval, "redis.lease_ttl", self.lease_ttl);
    }
}
