//! What the backend needs to know, checked once at start.

use std::sync::Arc;
use std::time::Duration;

use lapin::uri::{AMQPScheme, AMQPUri};

use crate::config;
use crate::tls::{self, TlsError};

/// Where the broker is and how its queues are made.
#[derive(Clone)]
pub struct Settings {
    pub(super) uri: AMQPUri,
    /// Only for `amqps`.
    pub(super) tls: Option<Arc<rustls::ClientConfig>>,
    pub(super) connect_timeout: Duration,
    pub(super) reconnect_max: Duration,
    pub(super) prefix: String,
    pub(super) max_length_bytes: usize,
    pub(super) delivery_limit: u32,
    pub(super) prefetch: u16,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("rabbitmq.url is missing")]
    NoUrl,
    /// The parser's own words, never the URL: it holds a password.
    #[error("rabbitmq.url is no AMQP address: {0}")]
    Url(String),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl Settings {
    /// Reads the files of certificates when the URL is `amqps`: some milliseconds, at start.
    ///
    /// # Errors
    /// A URL or a CA file that cannot be used.
    pub fn new(rabbitmq: &config::RabbitMq, queue: &config::Queue) -> Result<Self, SettingsError> {
        let url = rabbitmq.url.as_ref().ok_or(SettingsError::NoUrl)?;
        let mut uri: AMQPUri = url.expose().parse().map_err(SettingsError::Url)?;
        // The library would follow the broker's own, which is a minute.
        uri.query.heartbeat = Some(u16::try_from(rabbitmq.heartbeat.as_secs()).unwrap_or(u16::MAX));
        let tls = match uri.scheme {
            AMQPScheme::AMQP => None,
            AMQPScheme::AMQPS => Some(Arc::new(tls::client_config(rabbitmq.ca_file.as_deref())?)),
        };
        Ok(Self {
            uri,
            tls,
            connect_timeout: rabbitmq.connect_timeout,
            reconnect_max: rabbitmq.reconnect_max,
            prefix: rabbitmq.prefix.clone(),
            max_length_bytes: queue.max_length_bytes,
            delivery_limit: queue.delivery_limit,
            prefetch: queue.prefetch,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn with_url(url: &str) -> Result<Settings, SettingsError> {
        let rabbitmq = config::RabbitMq {
            url: Some(Secret::new(url)),
            ca_file: None,
            heartbeat: Duration::from_secs(7),
            connect_timeout: Duration::from_secs(1),
            reconnect_max: Duration::from_secs(1),
            prefix: "tidings".into(),
        };
        let queue =
            config::Queue { partitions: 1, max_length_bytes: 1 << 20, delivery_limit: 20, prefetch: 1 };
        Settings::new(&rabbitmq, &queue)
    }

    #[test]
    fn the_configured_heartbeat_wins_over_that_of_the_url() {
        let settings = with_url("amqp://guest:guest@localhost/%2f?heartbeat=600").unwrap();
        assert_eq!(settings.uri.query.heartbeat, Some(7));
        assert!(settings.tls.is_none());
    }

    #[test]
    fn a_bad_url_does_not_show_its_password() {
        let error = with_url("amqp://app:hunter2@local host/x").err().unwrap().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
