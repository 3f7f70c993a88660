//! The backends, each with nothing in it.

use std::sync::Arc;
use std::time::Duration;

use tidings::config::{self, Secret};
use tidings::fanout::Fanout;
use tidings::fanout::embedded::EmbeddedFanout;
use tidings::fanout::redis::{RedisFanout, RedisState};
use tokio::time::timeout;
use uuid::Uuid;

use super::redis_cluster;
use crate::support::stack::Stack;

pub fn embedded() -> Arc<dyn Fanout> {
    Arc::new(EmbeddedFanout::new())
}

/// Under a prefix of its own on the Redis that all tests share.
pub async fn redis() -> Arc<dyn Fanout> {
    Arc::new(connected(&settings(Stack::shared_redis().await.url())).await)
}

/// On the cluster that all tests share.
pub async fn redis_cluster() -> Arc<dyn Fanout> {
    let settings = config::Redis { cluster: true, ..settings(redis_cluster::shared().await) };
    Arc::new(connected(&settings).await)
}

pub fn settings(url: &str) -> config::Redis {
    config::Redis {
        url: Some(Secret::new(url)),
        ca_file: None,
        cluster: false,
        prefix: format!("test-{}", Uuid::now_v7().simple()),
        pool_size: 2,
        command_timeout: Duration::from_secs(2),
        connect_timeout: Duration::from_secs(5),
        reconnect_max: Duration::from_millis(500),
        lease_ttl: Duration::from_secs(10),
        lease_interval: Duration::from_secs(3),
    }
}

pub async fn connected(settings: &config::Redis) -> RedisFanout {
    let fanout = RedisFanout::connect(settings).expect("the settings are good");
    reaches(&fanout, RedisState::Connected).await;
    fanout
}

/// Waits for a state.
pub async fn reaches(fanout: &RedisFanout, state: RedisState) {
    let mut states = fanout.state();
    let reached = timeout(Duration::from_secs(20), states.wait_for(|now| *now == state)).await;
    reached.unwrap_or_else(|_| panic!("never {state:?}")).expect("the fan-out is there");
}
