//! Ids as types of their own, so that none is taken for another.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Timestamp;

/// Why a string is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is 1 to 64 characters without control characters, and no user's id is `me`")]
pub struct InvalidId;

fn parse_name(value: &str) -> Result<Arc<str>, InvalidId> {
    let length = value.chars().take(65).count();
    if length == 0 || length > 64 || value.chars().any(char::is_control) {
        return Err(InvalidId);
    }
    Ok(Arc::from(value))
}

macro_rules! name_id {
    ($(#[$doc:meta])* $name:ident, not $taken:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        #[serde(try_from = "String")]
        #[schema(value_type = String, min_length = 1, max_length = 64, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses the application's own string: 1 to 64 characters, no control characters.
            pub fn parse(value: &str) -> Result<Self, InvalidId> {
                let taken: Option<&str> = $taken;
                if taken == Some(value) {
                    return Err(InvalidId);
                }
                parse_name(value).map(Self)
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(value: String) -> Result<Self, InvalidId> {
                Self::parse(&value)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = String, format = "uuid")]
        pub struct $name(Uuid);

        impl $name {
            pub const fn from_uuid(value: Uuid) -> Self {
                Self(value)
            }

            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }

            /// A new id that sorts by the time of its making (UUIDv7).
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            pub fn parse(value: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(value).map(Self)
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

name_id!(
    /// A user, by the application's own name for them. `me` means the asking one in addresses.
    UserId, not Some("me")
);
name_id!(
    /// A device, by the client's own name for it; unique for one user.
    DeviceId, not None
);
uuid_id!(
    /// A conversation. A direct one has the id that its two users give it.
    ConversationId
);
uuid_id!(
    /// One entry of a log, made by the server.
    MessageId
);
uuid_id!(
    /// The sender's own name for an entry; makes sending again safe.
    ClientId
);
uuid_id!(
    /// One socket's life, or one sign-in of a built-in account.
    SessionId
);
uuid_id!(
    /// One subscription of one gateway: new at each start and after each loss.
    GatewayId
);

/// The name space of direct conversations: the UUIDv5 of the DNS name `direct.tidings`.
const DIRECT: Uuid = Uuid::from_u128(0x8d0f_3c5a_9be2_5d41_a7c6_1f8e_5b70_44d2);

impl ConversationId {
    /// The id of the direct conversation of two users, whichever of them asks.
    ///
    /// The names are length-prefixed: (`ab`, `c`) and (`a`, `bc`) must not meet.
    pub fn direct(one: &UserId, other: &UserId) -> Self {
        let (low, high) = if one <= other { (one, other) } else { (other, one) };
        let mut name = Vec::with_capacity(8 + low.as_str().len() + high.as_str().len());
        for user in [low, high] {
            name.extend_from_slice(&(user.as_str().len() as u32).to_be_bytes());
            name.extend_from_slice(user.as_str().as_bytes());
        }
        Self(Uuid::new_v5(&DIRECT, &name))
    }

    /// Whether it follows from two users; all others have ids that were made.
    pub fn is_direct(self) -> bool {
        self.0.get_version() == Some(uuid::Version::Sha1)
    }
}

impl MessageId {
    /// When it was made; `None` for one that does not say.
    pub fn made_at(&self) -> Option<Timestamp> {
        let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
        let millis = seconds.checked_mul(1000)?.checked_add(u64::from(nanos / 1_000_000))?;
        i64::try_from(millis).ok().map(Timestamp::from_millis)
    }
}

/// A place in a conversation's log: 1, 2, 3, … with none missing; 0 is before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = i64, minimum = 0)]
pub struct Seq(i64);

impl Seq {
    pub const ZERO: Self = Self(0);
    pub const MAX: Self = Self(i64::MAX);

    /// `value` must not be negative; a negative one counts as 0.
    pub const fn new(value: i64) -> Self {
        Self(if value < 0 { 0 } else { value })
    }

    pub const fn get(self) -> i64 {
        self.0
    }

    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl<'de> Deserialize<'de> for Seq {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = u64::deserialize(deserializer)?;
        i64::try_from(value).map(Self).map_err(|_| serde::de::Error::custom("seq is out of range"))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    #[test]
    fn a_direct_conversation_has_one_id_whoever_asks() {
        let (alice, bob) = (user("alice"), user("bob"));
        assert_eq!(ConversationId::direct(&alice, &bob), ConversationId::direct(&bob, &alice));
        assert!(ConversationId::direct(&alice, &bob).is_direct() && !ConversationId::new().is_direct());
    }

    #[test]
    fn pairs_whose_names_concatenate_alike_have_different_ids() {
        let one = ConversationId::direct(&user("ab"), &user("c"));
        let other = ConversationId::direct(&user("a"), &user("bc"));
        assert_ne!(one, other);
    }

    #[test]
    fn a_message_id_says_when_it_was_made() {
        let before = Timestamp::now();
        let made = MessageId::new().made_at().unwrap();
        assert!(made >= before && made <= Timestamp::now());
        assert_eq!(MessageId::from_uuid(Uuid::nil()).made_at(), None);
    }

    #[test]
    fn an_id_is_1_to_64_characters_without_control_characters() {
        assert!(UserId::parse("").is_err());
        assert!(UserId::parse(&"é".repeat(64)).is_ok());
        assert!(UserId::parse(&"a".repeat(65)).is_err());
        assert!(UserId::parse("a\0b").is_err());
        assert!(UserId::parse("me").is_err() && DeviceId::parse("me").is_ok());
    }

    #[test]
    fn a_negative_seq_is_refused() {
        assert!(serde_json::from_str::<Seq>("-1").is_err());
        assert_eq!(serde_json::from_str::<Seq>("7").unwrap(), Seq::new(7));
    }
}
