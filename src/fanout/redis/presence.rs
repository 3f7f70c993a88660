//! Presence in Redis.
//!
//! When users were last there is kept by periods of 30 days: a period's hashes expire as a whole 60 days after the last write to
//! them, so a user who was away for 30 to 60 days is no longer known. The number of users who ever came does not fill Redis.

use async_trait::async_trait;
use bytes::Bytes;
use fred::types::Value;

use super::RedisFanout;
use super::call::Call;
use super::keys::{BUCKETS, Table, bucket_of};
use super::routes::{Key, Lookup, read_routes, user_fields};
use crate::fanout::{FanoutError, PresenceBoard};
use crate::model::{GatewayId, Presence, Status, Timestamp, UserId};

const PERIOD_SECONDS: i64 = 30 * 24 * 60 * 60;

#[async_trait]
impl PresenceBoard for RedisFanout {
    async fn presence(&self, users: &[UserId]) -> Result<Vec<Presence>, FanoutError> {
        let mut lookup = Lookup::default();
        users.iter().for_each(|user| lookup.add(Key::User(user)));
        let mut calls = vec![self.ask_living()];
        lookup.ask(self.keys(), &mut calls);
        let routes = calls.len();
        let (order, newest) = (by_bucket(users), period_of(Timestamp::now()));
        for (bucket, places) in order.iter().enumerate().filter(|(_, places)| !places.is_empty()) {
            for period in [newest, newest - 1] {
                let fields = places.iter().map(|place| field(&users[*place]));
                calls.push(Call::fields(self.keys().seen(bucket as u8, period), fields));
            }
        }
        let answers = self.send(&calls).await?;
        let (routes, seen) = answers.split_at(routes.min(answers.len()));
        let (living, found) = read_routes(lookup, routes)?;
        let last_seen = read_seen(&order, users.len(), seen);
        let presence = |(user, seen): (&UserId, Option<Timestamp>)| {
            let online = found.is_held(Key::User(user), &living);
            Presence {
                user_id: user.clone(),
                status: if online { Status::Online } else { Status::Offline },
                last_seen_at: if online { None } else { seen },
            }
        };
        Ok(users.iter().zip(last_seen).map(presence).collect())
    }

    async fn saw(&self, users: &[UserId], at: Timestamp) -> Result<(), FanoutError> {
        let mut calls = Vec::new();
        for (bucket, places) in by_bucket(users).into_iter().enumerate() {
            if !places.is_empty() {
                let key = self.keys().seen(bucket as u8, period_of(at));
                let pairs =
                    places.iter().map(|place| (field(&users[*place]), Value::Integer(at.as_millis())));
                calls.push(Call::set_fields(key.clone(), pairs));
                calls.push(Call::expire(key, 2 * PERIOD_SECONDS));
            }
        }
        if !calls.is_empty() {
            self.send(&calls).await?;
        }
        Ok(())
    }

    async fn watch(&self, gateway: GatewayId, users: &[UserId]) -> Result<(), FanoutError> {
        self.add_routes(gateway, Table::Watchers, user_fields(users)).await
    }

    async fn unwatch(&self, gateway: GatewayId, users: &[UserId]) -> Result<(), FanoutError> {
        self.remove_routes(gateway, Table::Watchers, user_fields(users)).await
    }
}

fn period_of(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(PERIOD_SECONDS * 1000)
}

fn field(user: &UserId) -> Bytes {
    Bytes::copy_from_slice(user.as_str().as_bytes())
}

/// The places of the users of each bucket.
fn by_bucket(users: &[UserId]) -> Vec<Vec<usize>> {
    let mut buckets = vec![Vec::new(); usize::from(BUCKETS)];
    for (place, user) in users.iter().enumerate() {
        buckets[usize::from(bucket_of(user.as_str().as_bytes()))].push(place);
    }
    buckets
}

/// The answers are two a bucket that has users: of this period and of the one before.
fn read_seen(order: &[Vec<usize>], users: usize, answers: &[Value]) -> Vec<Option<Timestamp>> {
    let mut seen = vec![None; users];
    let asked = order.iter().filter(|places| !places.is_empty()).flat_map(|places| [places, places]);
    for (places, answer) in asked.zip(answers) {
        let Value::Array(values) = answer else { continue };
        for (place, value) in places.iter().zip(values) {
            seen[*place] = seen[*place].or(value.as_i64().map(Timestamp::from_millis));
        }
    }
    seen
}
