//! Configuration: one section a file, defaults and reference in `default.toml`.
//!
//! [`load`] layers the sources, later ones win: the embedded defaults, the defaults of a
//! command, `--config FILE`, the environment (`TIDINGS__SECTION__KEY`), flags. Everything that
//! is wrong is reported at once, with the place where it was said.

mod apns;
mod auth;
pub mod data_dir;
mod document;
mod drain;
mod embedded;
mod fcm;
mod gateway;
mod ingress;
mod layers;
mod load;
mod log;
mod network;
mod postgres;
mod print;
mod problems;
mod push;
mod queue;
mod rabbitmq;
mod redis;
mod retention;
mod secret;
mod server;
#[cfg(test)]
mod tests;
mod values;
mod webpush;
mod worker;

use serde::{Deserialize, Serialize};

/// How durations are written, for `#[serde(with)]`.
pub use self::values::duration;
pub use self::{
    apns::Apns,
    auth::Auth,
    document::markdown,
    drain::Drain,
    embedded::Embedded,
    fcm::Fcm,
    gateway::{Gateway, SERVER_FRAME_BYTES},
    ingress::Ingress,
    layers::{Origin, Setting},
    load::{Loaded, Sources, load},
    log::{Log, LogFormat},
    network::Network,
    postgres::Postgres,
    problems::{ConfigError, Problem, Problems},
    push::{Push, PushPayload},
    queue::Queue,
    rabbitmq::RabbitMq,
    redis::Redis,
    retention::Retention,
    secret::Secret,
    server::Server,
    webpush::WebPush,
    worker::Worker,
};

/// All settings in force. The meaning and unit of each is in `default.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: Server,
    pub auth: Auth,
    pub gateway: Gateway,
    pub ingress: Ingress,
    pub queue: Queue,
    pub rabbitmq: RabbitMq,
    pub postgres: Postgres,
    pub redis: Redis,
    pub embedded: Embedded,
    pub worker: Worker,
    pub push: Push,
    pub apns: Apns,
    pub fcm: Fcm,
    pub webpush: WebPush,
    pub retention: Retention,
    pub log: Log,
    pub drain: Drain,
}

impl Config {
    /// The embedded defaults, as tests of other modules want them.
    pub fn defaults() -> Self {
        let sources = Sources::default();
        load(&sources).expect("the embedded defaults are valid, see the test of load").config
    }

    /// The addresses of the three services, or an error that says how to set each missing one.
    pub fn services(&self) -> Result<Services<'_>, ConfigError> {
        let mut problems = Problems::default();
        let rabbitmq = problems.required("rabbitmq.url", self.rabbitmq.url.as_ref());
        let postgres = problems.required("postgres.url", self.postgres.url.as_ref());
        let redis = problems.required("redis.url", self.redis.url.as_ref());
        match (rabbitmq, postgres, redis) {
            (Some(rabbitmq), Some(postgres), Some(redis)) => Ok(Services { rabbitmq, postgres, redis }),
            _ => Err(problems.into_error()),
        }
    }

    /// The address of the database alone, for `tidings migrate`.
    pub fn postgres_url(&self) -> Result<&Secret, ConfigError> {
        let mut problems = Problems::default();
        match problems.required("postgres.url", self.postgres.url.as_ref()) {
            Some(url) => Ok(url),
            None => Err(problems.into_error()),
        }
    }

    fn check(&self, problems: &mut Problems) {
        self.server.check(problems);
        self.auth.check(problems);
        self.gateway.check(problems);
        self.ingress.check(problems);
        self.queue.check(problems);
        self.rabbitmq.check(problems);
        self.postgres.check(problems);
        self.redis.check(problems);
        self.embedded.check(problems);
        self.worker.check(problems);
        self.push.check(problems);
        self.apns.check(problems);
        self.fcm.check(problems);
        self.webpush.check(problems);
        self.retention.check(problems);
        self.log.check(problems);
        self.drain.check(problems);
        problems.less(
            "ingress.max_wait",
            self.ingress.max_wait,
            "gateway.http_timeout",
            self.gateway.http_timeout,
        );
        problems.at_least("ingress.batch_bytes", self.ingress.batch_bytes, self.gateway.max_frame_bytes);
    }
}

/// Where the services of the distributed roles are.
#[derive(Debug, Clone, Copy)]
pub struct Services<'a> {
    pub rabbitmq: &'a Secret,
    pub postgres: &'a Secret,
    pub redis: &'a Secret,
}
