//! Removing the routes of dead gateways, a little with each renewal of a lease.
//!
//! Nobody uses them, but a user who never comes back would otherwise keep theirs for ever. An expired lease never lives again, so
//! whoever is on the list of the expired may be removed without a race with those who begin.

use std::sync::LazyLock;

use fred::types::Value;
use fred::types::scripts::Script;
use rand::RngExt;

use super::RedisFanout;
use super::call::Call;
use super::keys::{BUCKETS, Table};
use crate::model::GatewayId;

/// Keys: a bucket. Arguments: a cursor, then dead gateways. Answers the next cursor, 0 at the end of the bucket.
pub(super) static SWEEP: LazyLock<Script> = LazyLock::new(|| {
    Script::from_lua(
        "local dead = {}
        for i = 2, #ARGV do dead[ARGV[i]] = true end
        local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', 500)
        for i = 1, #page[2], 2 do
            local gateways, left = page[2][i + 1], {}
            for at = 1, #gateways, 16 do
                local gateway = string.sub(gateways, at, at + 15)
                if not dead[gateway] then left[#left + 1] = gateway end
            end
            if #left == 0 then
                redis.call('HDEL', KEYS[1], page[2][i])
            elseif #left * 16 < #gateways then
                redis.call('HSET', KEYS[1], page[2][i], table.concat(left))
            end
        end
        return page[1]",
    )
});

/// Where the sweep is: which hash, and where in it. It goes round for ever.
pub(super) struct Sweep {
    bucket: u16,
    cursor: Value,
}

const HASHES: u16 = Table::ALL.len() as u16 * BUCKETS as u16;

impl Default for Sweep {
    /// Somewhere, so that several gateways do not sweep the same.
    fn default() -> Self {
        Self { bucket: rand::rng().random_range(0..HASHES), cursor: start() }
    }
}

impl Sweep {
    /// Some hundred routes. What fails is done by the next round.
    pub(super) async fn step(&mut self, fanout: &RedisFanout, dead: &[GatewayId]) {
        if dead.is_empty() {
            return;
        }
        let table = Table::ALL[usize::from(self.bucket / u16::from(BUCKETS))];
        let key = fanout.keys().routes(table, (self.bucket % u16::from(BUCKETS)) as u8);
        let dead = dead.iter().map(|gateway| Value::from(&gateway.as_uuid().as_bytes()[..]));
        let args = std::iter::once(self.cursor.clone()).chain(dead);
        let next = match fanout.send(&[Call::script(&SWEEP, vec![key], args)]).await {
            Ok(mut answers) => answers.pop().unwrap_or_else(start),
            Err(error) => {
                tracing::debug!(%error, "routes of dead gateways were not removed");
                return;
            }
        };
        if next.as_i64().is_none_or(|cursor| cursor == 0) {
            self.bucket = (self.bucket + 1) % HASHES;
        }
        self.cursor = next;
    }
}

fn start() -> Value {
    Value::Integer(0)
}
