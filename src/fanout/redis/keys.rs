//! Names in Redis. What a cluster must keep together has the same hash tag.

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use crate::fanout::LeaseGroup;
use crate::model::{ConversationId, GatewayId};

/// Keys of one kind are spread over this many hashes: few enough that a batch's look-ups are few commands, enough to spread over a
/// cluster. All processes must agree on it.
pub(super) const BUCKETS: u8 = 64;

/// What is spread over buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Table {
    /// User → the gateways that hold one of their sockets.
    Users,
    /// Group → the gateways that hold one of its members.
    Groups,
    /// User → the gateways at which all of their sockets are in the background.
    Idle,
    /// User → the gateways that want to know of their presence.
    Watchers,
}

impl Table {
    pub(super) const ALL: [Self; 4] = [Self::Users, Self::Groups, Self::Idle, Self::Watchers];

    fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Groups => "groups",
            Self::Idle => "idle",
            Self::Watchers => "watchers",
        }
    }
}

/// Where in its table a key lies.
pub(super) fn bucket_of(key: &[u8]) -> u8 {
    (xxh3_64(key) % u64::from(BUCKETS)) as u8
}

/// Makes names under the installation's prefix, which has no braces.
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// Sorted set: gateways by the end of their lease.
    pub(super) fn gateways(&self) -> Bytes {
        format!("{}:gateways", self.prefix).into()
    }

    pub(super) fn channel(&self, gateway: GatewayId) -> Bytes {
        format!("{}:gateway:{{{gateway}}}", self.prefix).into()
    }

    /// Hash: a bucket of routes.
    pub(super) fn routes(&self, table: Table, bucket: u8) -> Bytes {
        format!("{}:{}:{{b{bucket:02}}}", self.prefix, table.name()).into()
    }

    /// Hash: when users of this bucket were last there, of one period.
    pub(super) fn seen(&self, bucket: u8, period: i64) -> Bytes {
        format!("{}:seen:{{b{bucket:02}}}:{period}", self.prefix).into()
    }

    /// Hash: what one user's devices acknowledged.
    pub(super) fn acknowledged(&self, bucket: u8, user: &str) -> Bytes {
        format!("{}:ack:{{b{bucket:02}}}:{user}", self.prefix).into()
    }

    /// String: what one user's phones show of a conversation.
    pub(super) fn screen(&self, bucket: u8, user: &str, conversation: ConversationId) -> Bytes {
        format!("{}:push:{{b{bucket:02}}}:{conversation}:{user}", self.prefix).into()
    }

    /// String: a credential that push processes share.
    pub(super) fn credential(&self, name: &str) -> Bytes {
        format!("{}:credential:{name}", self.prefix).into()
    }

    /// Hash: when devices were registered last, by buckets of users.
    pub(super) fn device_marks(&self) -> Bytes {
        format!("{}:devices", self.prefix).into()
    }

    /// Sorted set: holders of a group's leases by their end.
    pub(super) fn leases(&self, group: LeaseGroup) -> Bytes {
        let group = match group {
            LeaseGroup::Workers => "workers",
            LeaseGroup::Push => "push",
        };
        format!("{}:leases:{group}", self.prefix).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_of_a_bucket_has_its_hash_tag_whatever_the_user_is_called() {
        let keys = Keys::new("tidings");
        for key in [keys.routes(Table::Users, 7), keys.seen(7, 3), keys.acknowledged(7, "{x}}{")] {
            let key = String::from_utf8(key.to_vec()).unwrap();
            let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
            assert_eq!(tag, Some("b07"), "{key}");
        }
    }

    #[test]
    fn buckets_do_not_move_between_releases() {
        assert_eq!(["alice", "bob", "carol"].map(|user| bucket_of(user.as_bytes())), [48, 37, 36]);
    }
}
