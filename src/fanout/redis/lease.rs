//! A gateway's lease: while it lives, events come to its channel. An expired lease never lives again.

use std::sync::LazyLock;

use fred::types::Value;
use fred::types::scripts::Script;

use super::call::Call;
use super::scripts::timed;
use super::{RedisFanout, ids, unavailable};
use crate::fanout::FanoutError;
use crate::model::GatewayId;

/// Keys: gateways. Arguments: id, ttl in ms, how long expired ones are remembered in ms (so that the sweep can tell the dead from
/// those it does not know yet).
pub(super) static TAKE: LazyLock<Script> = LazyLock::new(|| {
    timed(
        "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3])
        redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
        return 1",
    )
});

/// Keys: gateways. Arguments: id, ttl in ms. Answers 0 when the lease has expired, otherwise 1 and those that have.
pub(super) static RENEW: LazyLock<Script> = LazyLock::new(|| {
    timed(
        "local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
        if not ends or tonumber(ends) <= now then return {0} end
        redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
        local expired = redis.call('ZREVRANGEBYSCORE', KEYS[1], now, '-inf', 'LIMIT', 0, 1000)
        return {1, expired}",
    )
});

/// Keys: gateways. Arguments: id.
pub(super) static RELEASE: LazyLock<Script> =
    LazyLock::new(|| timed("return redis.call('ZADD', KEYS[1], 'XX', now, ARGV[1])"));

/// Keys: gateways. Answers those whose lease lives.
pub(super) static LIVING: LazyLock<Script> =
    LazyLock::new(|| timed("return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')"));

/// A day: many times what a sweep of everything takes.
const REMEMBERED_MS: i64 = 24 * 60 * 60 * 1000;

/// What became of an attempt to renew.
pub(super) enum Renewal {
    /// Renewed; these others have expired.
    Renewed { expired: Vec<GatewayId> },
    /// Too late, and events may have been sent past it.
    Expired,
    /// Renewed, but nobody listens to the channel.
    Deaf,
}

impl RedisFanout {
    pub(super) async fn take_lease(&self, gateway: GatewayId) -> Result<(), FanoutError> {
        let args = [name(gateway), self.ttl(), Value::Integer(REMEMBERED_MS)];
        self.send(&[Call::script(&TAKE, vec![self.keys().gateways()], args)]).await?;
        Ok(())
    }

    /// Renews the lease and sends a sign of life through the channel.
    pub(super) async fn renew_lease(&self, gateway: GatewayId) -> Result<Renewal, FanoutError> {
        let renew = Call::script(&RENEW, vec![self.keys().gateways()], [name(gateway), self.ttl()]);
        let sign = self.publication(gateway, super::codec::empty());
        let answers = self.send(&[renew, sign]).await?;
        let [Value::Array(renewed), listeners] = &answers[..] else {
            return Err(unavailable("Redis answered a renewal strangely", None));
        };
        match (renewed.first().and_then(Value::as_i64), listeners.as_i64()) {
            (Some(0), _) => Ok(Renewal::Expired),
            (_, Some(0)) => Ok(Renewal::Deaf),
            _ => Ok(Renewal::Renewed { expired: renewed.get(1).map(ids).unwrap_or_default() }),
        }
    }

    pub(super) async fn release_lease(&self, gateway: GatewayId) -> Result<(), FanoutError> {
        self.send(&[Call::script(&RELEASE, vec![self.keys().gateways()], [name(gateway)])]).await?;
        Ok(())
    }

    /// The command whose answer [`Living::read`] understands.
    pub(super) fn ask_living(&self) -> Call {
        Call::script(&LIVING, vec![self.keys().gateways()], [])
    }

    fn ttl(&self) -> Value {
        Value::Integer(self.lease_ttl().as_millis() as i64)
    }
}

/// The gateways whose lease lives, in the order of their ids.
#[derive(Default)]
pub(super) struct Living(Vec<GatewayId>);

impl Living {
    pub(super) fn read(answer: &Value) -> Self {
        let mut gateways = ids(answer);
        gateways.sort_unstable();
        Self(gateways)
    }

    pub(super) fn gateways(&self) -> &[GatewayId] {
        &self.0
    }

    /// Its place among them.
    pub(super) fn place_of(&self, gateway: GatewayId) -> Option<usize> {
        self.0.binary_search(&gateway).ok()
    }
}

/// People read this set when something is wrong, so ids are text in it.
fn name(gateway: GatewayId) -> Value {
    Value::from(gateway.to_string())
}
