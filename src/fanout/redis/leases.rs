//! Leases of workers and of push processes in Redis.

use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use fred::types::Value;
use fred::types::scripts::Script;
use uuid::Uuid;

use super::call::Call;
use super::scripts::timed;
use super::{RedisFanout, uuids};
use crate::fanout::{FanoutError, LeaseGroup, Leases};

/// Keys: the group. Arguments: id, ttl in ms; a ttl of 0 gives the lease back. Answers who holds one.
pub(super) static HOLD: LazyLock<Script> = LazyLock::new(|| {
    timed(
        "redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
        redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
        return redis.call('ZRANGE', KEYS[1], 0, -1)",
    )
});

#[async_trait]
impl Leases for RedisFanout {
    async fn hold(&self, group: LeaseGroup, id: Uuid, ttl: Duration) -> Result<Vec<Uuid>, FanoutError> {
        let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        let args = [Value::from(id.to_string()), Value::Integer(ttl)];
        let answers = self.send(&[Call::script(&HOLD, vec![self.keys().leases(group)], args)]).await?;
        let mut holders: Vec<Uuid> = answers.first().map(uuids).unwrap_or_default();
        holders.sort_unstable();
        Ok(holders)
    }

    async fn release(&self, group: LeaseGroup, id: Uuid) -> Result<(), FanoutError> {
        self.hold(group, id, Duration::ZERO).await.map(drop)
    }
}
