//! Routes in Redis: hashes in buckets, a field a user or group, its value the gateways that hold it, 16 bytes each.
//!
//! Not a set for each user: a batch's look-ups are at most one HMGET a bucket.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use async_trait::async_trait;
use bytes::Bytes;
use fred::types::Value;
use fred::types::scripts::Script;
use uuid::Uuid;

use super::call::Call;
use super::keys::{Keys, Table, bucket_of};
use super::lease::Living;
use super::{RedisFanout, unavailable};
use crate::fanout::{Attention, FanoutError, Routes};
use crate::model::{ConversationId, GatewayId, UserId};

/// Keys: a bucket. Arguments: a gateway, 1 to add it or 0 to remove it, then fields.
pub(super) static CHANGE: LazyLock<Script> = LazyLock::new(|| {
    Script::from_lua(
        "local gateway, add = ARGV[1], ARGV[2] == '1'
        local held = redis.call('HMGET', KEYS[1], unpack(ARGV, 3))
        local set, gone = {}, {}
        for i = 1, #ARGV - 2 do
            local field, gateways, place = ARGV[i + 2], held[i] or '', nil
            for at = 1, #gateways, 16 do
                if string.sub(gateways, at, at + 15) == gateway then place = at break end
            end
            if add and not place then
                set[#set + 1], set[#set + 2] = field, gateways .. gateway
            elseif place and not add then
                local rest = string.sub(gateways, 1, place - 1) .. string.sub(gateways, place + 16)
                if rest == '' then
                    gone[#gone + 1] = field
                else
                    set[#set + 1], set[#set + 2] = field, rest
                end
            end
        end
        if #set > 0 then redis.call('HSET', KEYS[1], unpack(set)) end
        if #gone > 0 then redis.call('HDEL', KEYS[1], unpack(gone)) end
        return #set / 2 + #gone",
    )
});

/// Fields of one call of the script: Lua takes some thousands of arguments, and others wait meanwhile.
const FIELDS_A_CALL: usize = 500;

/// Calls of one pipeline, so that a gateway of many users does not run into the time-out of a command.
const CALLS_A_PIPELINE: usize = 64;

#[derive(Clone, Copy)]
enum Change {
    Add,
    Remove,
}

#[async_trait]
impl Routes for RedisFanout {
    async fn register_users(&self, gateway: GatewayId, users: &[UserId]) -> Result<(), FanoutError> {
        self.add_routes(gateway, Table::Users, user_fields(users)).await
    }

    async fn unregister_users(&self, gateway: GatewayId, users: &[UserId]) -> Result<(), FanoutError> {
        self.remove_routes(gateway, Table::Users, user_fields(users)).await
    }

    async fn register_groups(
        &self,
        gateway: GatewayId,
        groups: &[ConversationId],
    ) -> Result<(), FanoutError> {
        self.add_routes(gateway, Table::Groups, group_fields(groups)).await
    }

    async fn unregister_groups(
        &self,
        gateway: GatewayId,
        groups: &[ConversationId],
    ) -> Result<(), FanoutError> {
        self.remove_routes(gateway, Table::Groups, group_fields(groups)).await
    }

    async fn register_idle(&self, gateway: GatewayId, users: &[UserId]) -> Result<(), FanoutError> {
        self.add_routes(gateway, Table::Idle, user_fields(users)).await
    }

    async fn unregister_idle(&self, gateway: GatewayId, users: &[UserId]) -> Result<(), FanoutError> {
        self.remove_routes(gateway, Table::Idle, user_fields(users)).await
    }

    async fn attention(&self, users: &[UserId]) -> Result<Vec<Attention>, FanoutError> {
        let mut lookup = Lookup::default();
        for user in users {
            lookup.add(Key::User(user));
            lookup.add(Key::Idle(user));
        }
        let mut calls = vec![self.ask_living()];
        lookup.ask(self.keys(), &mut calls);
        let answers = self.send(&calls).await?;
        let (living, routes) = read_routes(lookup, &answers)?;
        let attention = |user: &UserId| {
            let idle: Vec<GatewayId> = routes.of(Key::Idle(user)).collect();
            let alive = |gateway: &GatewayId| living.place_of(*gateway).is_some();
            let sockets: Vec<GatewayId> = routes.of(Key::User(user)).filter(alive).collect();
            match &sockets[..] {
                [] => Attention::Away,
                sockets if sockets.iter().all(|gateway| idle.contains(gateway)) => Attention::Idle,
                _ => Attention::Active,
            }
        };
        Ok(users.iter().map(attention).collect())
    }

    async fn bring_groups(&self, groups: &[(ConversationId, Vec<UserId>)]) -> Result<(), FanoutError> {
        let mut lookup = Lookup::default();
        groups.iter().flat_map(|(_, users)| users).for_each(|user| lookup.add(Key::User(user)));
        let mut calls = vec![self.ask_living()];
        lookup.ask(self.keys(), &mut calls);
        let answers = self.send(&calls).await?;
        let (living, routes) = read_routes(lookup, &answers)?;
        let mut fields: BTreeMap<GatewayId, Vec<Bytes>> = BTreeMap::new();
        for (group, users) in groups {
            let held = users.iter().flat_map(|user| routes.of(Key::User(user)));
            let gateways: BTreeSet<GatewayId> =
                held.filter(|gateway| living.place_of(*gateway).is_some()).collect();
            for gateway in gateways {
                fields.entry(gateway).or_default().push(Key::Group(*group).field());
            }
        }
        for (gateway, fields) in fields {
            self.add_routes(gateway, Table::Groups, fields).await?;
        }
        Ok(())
    }

    async fn are_connected(&self, users: &[UserId]) -> Result<Vec<bool>, FanoutError> {
        let mut lookup = Lookup::default();
        users.iter().for_each(|user| lookup.add(Key::User(user)));
        let mut calls = vec![self.ask_living()];
        lookup.ask(self.keys(), &mut calls);
        let answers = self.send(&calls).await?;
        let (living, routes) = read_routes(lookup, &answers)?;
        Ok(users.iter().map(|user| routes.is_held(Key::User(user), &living)).collect())
    }
}

impl RedisFanout {
    pub(super) async fn add_routes(
        &self,
        gateway: GatewayId,
        table: Table,
        fields: Vec<Bytes>,
    ) -> Result<(), FanoutError> {
        self.change_routes(gateway, table, fields, Change::Add).await
    }

    pub(super) async fn remove_routes(
        &self,
        gateway: GatewayId,
        table: Table,
        fields: Vec<Bytes>,
    ) -> Result<(), FanoutError> {
        self.change_routes(gateway, table, fields, Change::Remove).await
    }

    async fn change_routes(
        &self,
        gateway: GatewayId,
        table: Table,
        fields: Vec<Bytes>,
        change: Change,
    ) -> Result<(), FanoutError> {
        let gateway = Bytes::copy_from_slice(gateway.as_uuid().as_bytes());
        let add = match change {
            Change::Add => 1,
            Change::Remove => 0,
        };
        let mut buckets: BTreeMap<u8, Vec<Bytes>> = BTreeMap::new();
        for field in fields {
            buckets.entry(bucket_of(&field)).or_default().push(field);
        }
        let mut calls = Vec::new();
        for (bucket, fields) in buckets {
            for fields in fields.chunks(FIELDS_A_CALL) {
                let args = [Value::Bytes(gateway.clone()), Value::Integer(add)];
                let args = args.into_iter().chain(fields.iter().cloned().map(Value::Bytes));
                calls.push(Call::script(&CHANGE, vec![self.keys().routes(table, bucket)], args));
            }
        }
        for calls in calls.chunks(CALLS_A_PIPELINE) {
            self.send(calls).await?;
        }
        Ok(())
    }
}

pub(super) fn user_fields(users: &[UserId]) -> Vec<Bytes> {
    users.iter().map(|user| Key::User(user).field()).collect()
}

fn group_fields(groups: &[ConversationId]) -> Vec<Bytes> {
    groups.iter().map(|group| Key::Group(*group).field()).collect()
}

/// What has a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key<'a> {
    User(&'a UserId),
    Group(ConversationId),
    Idle(&'a UserId),
    Watchers(&'a UserId),
}

impl Key<'_> {
    fn table(self) -> Table {
        match self {
            Self::User(_) => Table::Users,
            Self::Group(_) => Table::Groups,
            Self::Idle(_) => Table::Idle,
            Self::Watchers(_) => Table::Watchers,
        }
    }

    fn field(self) -> Bytes {
        match self {
            Self::User(user) | Self::Idle(user) | Self::Watchers(user) => {
                Bytes::copy_from_slice(user.as_str().as_bytes())
            }
            Self::Group(group) => Bytes::copy_from_slice(group.as_uuid().as_bytes()),
        }
    }
}

/// The routes that a batch needs, each once.
#[derive(Default)]
pub(super) struct Lookup<'a> {
    wanted: HashMap<Key<'a>, ()>,
    buckets: BTreeMap<(Table, u8), Vec<(Key<'a>, Bytes)>>,
}

impl<'a> Lookup<'a> {
    pub(super) fn add(&mut self, key: Key<'a>) {
        if self.wanted.insert(key, ()).is_none() {
            let field = key.field();
            self.buckets.entry((key.table(), bucket_of(&field))).or_default().push((key, field));
        }
    }

    /// Appends one command a bucket.
    pub(super) fn ask(&self, keys: &Keys, calls: &mut Vec<Call>) {
        calls.extend(self.buckets.iter().map(|((table, bucket), fields)| {
            Call::fields(keys.routes(*table, *bucket), fields.iter().map(|(_, field)| field.clone()))
        }));
    }

    /// How many answers are for it.
    pub(super) fn len(&self) -> usize {
        self.buckets.len()
    }

    pub(super) fn read(self, answers: &[Value]) -> Result<Found<'a>, FanoutError> {
        let mut found = HashMap::with_capacity(self.wanted.len());
        for (fields, answer) in self.buckets.into_values().zip(answers) {
            match answer {
                Value::Array(values) if values.len() == fields.len() => {
                    let held = fields.into_iter().zip(values);
                    found.extend(
                        held.filter_map(|((key, _), value)| Some((key, value.clone().into_bytes()?))),
                    );
                }
                _ => return Err(unavailable("Redis answered a look-up strangely", None)),
            }
        }
        Ok(Found(found))
    }
}

/// Routes as they were looked up. Some may lead to gateways that live no more.
pub(super) struct Found<'a>(HashMap<Key<'a>, Bytes>);

impl Found<'_> {
    pub(super) fn of<'s>(&'s self, key: Key<'s>) -> impl Iterator<Item = GatewayId> + 's {
        let gateways = self.0.get(&key).map_or(&[][..], |gateways| gateways);
        let id = |bytes: &[u8]| Uuid::from_slice(bytes).ok().map(GatewayId::from_uuid);
        gateways.chunks_exact(16).filter_map(id)
    }

    pub(super) fn is_held(&self, key: Key<'_>, living: &Living) -> bool {
        self.of(key).any(|gateway| living.place_of(gateway).is_some())
    }
}

/// The answers to who lives, and then to a look-up.
pub(super) fn read_routes<'a>(
    lookup: Lookup<'a>,
    answers: &[Value],
) -> Result<(Living, Found<'a>), FanoutError> {
    let (living, routes) =
        answers.split_first().ok_or_else(|| unavailable("Redis answered nothing", None))?;
    Ok((Living::read(living), lookup.read(routes)?))
}
