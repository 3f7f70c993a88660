//! From the configuration to one connection (of a cluster: one to each of its nodes).

use std::time::Duration;

use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::interfaces::ClientLike;
use fred::types::config::{
    Config, ConnectionConfig, Options, PerformanceConfig, TcpConfig, TlsConfig, TlsHostMapping,
    UnresponsiveConfig,
};
use fred::types::{ConnectHandle, RespVersion};

use crate::config;
use crate::tls::{self, TlsError};

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RedisSettingsError {
    #[error("redis.url is missing")]
    NoUrl,
    #[error("redis.url is not an address of Redis: {0}")]
    Url(#[source] Error),
    #[error("redis.ca_file cannot be used: {0}")]
    Tls(#[from] TlsError),
}

/// How to connect; checked once, at start.
pub(super) struct Connector {
    config: Config,
    connect_timeout: Duration,
    command_timeout: Duration,
}

/// How often a command may be sent to another node, because slots moved or move.
const REDIRECTIONS: u32 = 5;

/// An open connection. When it is lost it is gone: nothing in it is repeated or sent later, and whoever needs one opens another.
pub(super) struct Connection {
    pub(super) client: Client,
    /// Drives the connection; it ends when the connection is lost.
    task: ConnectHandle,
}

impl Connector {
    /// # Errors
    /// When the address or the certificates cannot be used. Redis need not be up.
    pub(super) fn new(settings: &config::Redis) -> Result<Self, RedisSettingsError> {
        let url = settings.url.as_ref().ok_or(RedisSettingsError::NoUrl)?;
        let (scheme, place) = url.expose().split_once("://").unwrap_or(("", url.expose()));
        // Under the plain scheme, because fred would otherwise choose the certificates and the provider itself.
        let plain = format!("redis://{place}");
        let parse = if settings.cluster { Config::from_url_clustered } else { Config::from_url_centralized };
        let mut config = parse(&plain).map_err(RedisSettingsError::Url)?;
        // RESP3: a connection that subscribes answers a PING too.
        config.version = RespVersion::RESP3;
        config.fail_fast = true;
        if matches!(scheme, "rediss" | "valkeys") {
            // The nodes of a cluster announce addresses, their certificates have the name that we were given.
            let hostnames = if settings.cluster { TlsHostMapping::DefaultHost } else { TlsHostMapping::None };
            let connector = tls::client_config(settings.ca_file.as_deref())?.into();
            config.tls = Some(TlsConfig { connector, hostnames });
        }
        Ok(Self {
            config,
            connect_timeout: settings.connect_timeout,
            command_timeout: settings.command_timeout,
        })
    }

    pub(super) fn command_timeout(&self) -> Duration {
        self.command_timeout
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.config.server.is_clustered()
    }

    /// Opens a connection and sees it answer. `messages` may wait in each of its channels before they are lost.
    ///
    /// # Errors
    /// When it does not answer within the time to connect.
    pub(super) async fn open(&self, messages: usize) -> Result<Connection, Error> {
        let performance = PerformanceConfig {
            default_command_timeout: self.command_timeout,
            // A pipeline of one batch in one write.
            max_feed_count: 1000,
            broadcast_channel_capacity: messages,
        };
        let connection = ConnectionConfig {
            connection_timeout: self.connect_timeout,
            internal_command_timeout: self.connect_timeout,
            // The first, and as many as a cluster that moves slots may send elsewhere. After a loss nothing is sent again.
            max_command_attempts: 1 + REDIRECTIONS,
            max_redirections: REDIRECTIONS,
            // No bound inside fred: when its queue was full once, it counts wrong and no longer flushes. Ours is in `links`.
            max_command_buffer_len: 0,
            unresponsive: UnresponsiveConfig { max_timeout: None, ..UnresponsiveConfig::default() },
            tcp: TcpConfig { nodelay: Some(true), ..TcpConfig::default() },
            ..ConnectionConfig::default()
        };
        // No policy to reconnect: fred would keep commands and send them late, and a subscription has to hear of the loss.
        let client = Client::new(self.config.clone(), Some(performance), Some(connection), None);
        let task = client.connect();
        let mut connection = Connection { client, task };
        connection.ping(self.connect_timeout).await?;
        Ok(connection)
    }
}

impl Connection {
    /// # Errors
    /// When it does not answer in time, or the connection is lost meanwhile.
    pub(super) async fn ping(&mut self, time: Duration) -> Result<(), Error> {
        let options = Options { timeout: Some(time), ..Options::default() };
        let client = self.client.with_options(&options);
        tokio::select! {
            answer = client.ping::<fred::types::Value>(None) => answer.map(drop),
            lost = self.lost() => Err(lost),
        }
    }

    /// Waits until the connection is lost, and says why. Cancel-safe; not to be called again.
    pub(super) async fn lost(&mut self) -> Error {
        match (&mut self.task).await {
            Ok(Err(error)) => error,
            Ok(Ok(())) => Error::new(ErrorKind::IO, "the connection was closed"),
            Err(_) => Error::new(ErrorKind::Canceled, "the connection's task ended"),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Also when it is stuck in a write to a server that does not read: a polite QUIT would wait behind it.
        self.task.abort();
    }
}
