use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Problems, Secret, values};

/// `[rabbitmq]`: the broker of the distributed roles.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RabbitMq {
    #[serde(with = "values::optional")]
    pub url: Option<Secret>,
    #[serde(with = "values::optional")]
    pub ca_file: Option<PathBuf>,
    #[serde(with = "values::duration")]
    pub heartbeat: Duration,
    #[serde(with = "values::duration")]
    pub connect_timeout: Duration,
    #[serde(with = "values::duration")]
    pub reconnect_max: Duration,
    pub prefix: String,
}

impl RabbitMq {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.scheme("rabbitmq.url", self.url.as_ref(), &["amqp", "amqps"]);
        problems.file("rabbitmq.ca_file", self.ca_file.as_deref());
        // AMQP negotiates whole seconds in 16 bits.
        let seconds = self.heartbeat.as_secs();
        if self.heartbeat.subsec_nanos() != 0 || !(1..=u16::MAX as u64).contains(&seconds) {
            problems.rule("rabbitmq.heartbeat must be whole seconds, from 1s");
        }
        problems.positive("rabbitmq.connect_timeout", self.connect_timeout);
        problems.positive("rabbitmq.reconnect_max", self.reconnect_max);
        problems.prefix("rabbitmq.prefix", &self.prefix);
    }
}
