//! The fan-out through Redis or Valkey, standalone or a cluster.
//!
//! Everything in it is a hint that the running gateways can make again; an empty Redis is a good Redis. What lies where:
//!
//! | name | what |
//! |---|---|
//! | `gateways` | sorted set: gateways by the end of their lease; expired ones stay for a day |
//! | `gateway:{id}` | channel of a gateway |
//! | `users:{bNN}`, `groups:{bNN}`, `watchers:{bNN}` | hashes: user or group → its gateways, 16 bytes each |
//! | `idle:{bNN}` | hashes: user → the gateways at which all of their sockets are in the background |
//! | `seen:{bNN}:period` | hash: user → when they were last there, in ms |
//! | `ack:{bNN}:user` | hash: conversation → what the user's devices acknowledged |
//! | `push:{bNN}:conversation:user` | string: what the user's phones show of it |
//! | `credential:name` | string: a provider's token that push processes share, encrypted |
//! | `devices` | hash: bucket of users → a number that changes when one of them registers a device |
//! | `leases:workers`, `leases:push` | sorted sets: processes by the end of their lease |

mod acknowledged;
mod call;
mod codec;
mod connect;
mod credentials;
mod devices;
mod keys;
mod lease;
mod leases;
mod links;
mod presence;
mod publish;
mod routes;
mod screens;
mod scripts;
mod subscription;
mod sweep;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fred::types::Value;
use tokio::sync::watch;
use uuid::Uuid;

pub use self::connect::RedisSettingsError;
pub use self::links::RedisState;

use self::call::Call;
use self::connect::Connector;
use self::keys::Keys;
use self::links::Links;
use super::{Fanout, FanoutError};
use crate::config;
use crate::model::GatewayId;

/// The fan-out through Redis. Clones share the connections, which are closed with the last of them and its subscriptions.
#[derive(Clone)]
pub struct RedisFanout {
    shared: Arc<Shared>,
}

struct Shared {
    links: Links,
    connector: Arc<Connector>,
    keys: Keys,
    lease_ttl: Duration,
    lease_interval: Duration,
    /// The last publish met several gateways: the next asks for routes at once. Only a guess that saves a round trip.
    several: AtomicBool,
}

impl RedisFanout {
    /// Begins to connect, in tasks of its own; Redis need not be up. Call it within a runtime.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn connect(settings: &config::Redis) -> Result<Self, RedisSettingsError> {
        let connector = Arc::new(Connector::new(settings)?);
        let shared = Shared {
            links: Links::start(settings, connector.clone()),
            connector,
            keys: Keys::new(&settings.prefix),
            lease_ttl: settings.lease_ttl,
            lease_interval: settings.lease_interval,
            several: AtomicBool::new(false),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Whether Redis answers, and a notice of each change.
    pub fn state(&self) -> watch::Receiver<RedisState> {
        self.shared.links.state()
    }

    async fn send(&self, calls: &[Call]) -> Result<Vec<Value>, FanoutError> {
        self.shared.links.send(calls).await
    }

    fn keys(&self) -> &Keys {
        &self.shared.keys
    }

    fn lease_ttl(&self) -> Duration {
        self.shared.lease_ttl
    }

    fn publication(&self, gateway: GatewayId, payload: Bytes) -> Call {
        Call::publish(self.keys().channel(gateway), payload, self.shared.connector.is_cluster())
    }
}

#[async_trait]
impl Fanout for RedisFanout {
    async fn ping(&self) -> Result<(), FanoutError> {
        self.send(&[self.ask_living()]).await.map(drop)
    }
}

fn unavailable(message: &str, source: Option<fred::error::Error>) -> FanoutError {
    FanoutError::Unavailable { message: message.to_owned(), source: source.map(Into::into) }
}

/// The ids in an answer; what is none is left out.
fn uuids(answer: &Value) -> Vec<Uuid> {
    let Value::Array(values) = answer else { return Vec::new() };
    values.iter().filter_map(|value| Uuid::try_parse_ascii(value.as_bytes()?).ok()).collect()
}

fn ids(answer: &Value) -> Vec<GatewayId> {
    uuids(answer).into_iter().map(GatewayId::from_uuid).collect()
}
