//! Conversations and their members.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ConversationId, Seq, Timestamp, UserId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConversationKind {
    /// Two members for ever.
    Direct,
    /// Every member writes.
    Group,
    /// Only its owner and admins write.
    Channel,
}

impl ConversationKind {
    /// The number under which the stores keep it; never reused.
    pub const fn code(self) -> i16 {
        self as i16
    }

    pub fn from_code(code: i16) -> Option<Self> {
        [Self::Direct, Self::Group, Self::Channel].into_iter().find(|kind| kind.code() == code)
    }
}

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Owner,
    Admin,
    Member,
}

impl Role {
    /// The number under which the stores keep it; never reused.
    pub const fn code(self) -> i16 {
        self as i16
    }

    pub fn from_code(code: i16) -> Option<Self> {
        [Self::Owner, Self::Admin, Self::Member].into_iter().find(|role| role.code() == code)
    }

    /// Owner and admins change the title and the members, and delete others' messages.
    pub const fn manages(self) -> bool {
        matches!(self, Self::Owner | Self::Admin)
    }
}

/// What of a conversation rings a member's phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Notify {
    All,
    Mentions,
    None,
}

impl Notify {
    /// The number under which the stores keep it; never reused.
    pub const fn code(self) -> i16 {
        self as i16
    }

    pub fn from_code(code: i16) -> Option<Self> {
        [Self::All, Self::Mentions, Self::None].into_iter().find(|notify| notify.code() == code)
    }
}

/// One member, as the other members see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Member {
    pub user_id: UserId,
    pub role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    pub read_seq: Seq,
    pub delivered_seq: Seq,
}

/// A conversation as one of its members sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Conversation {
    pub id: ConversationId,
    pub kind: ConversationKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    pub last_seq: Seq,
    /// Where history begins for this member.
    pub first_seq: Seq,
    pub created_at: Timestamp,
    pub member_count: i64,
    /// At most 100 of them, fewer where their names and pictures are long: a conversation has to fit into a frame.
    #[serde(serialize_with = "shown")]
    pub members: Vec<Member>,
    pub role: Role,
    pub read_seq: Seq,
    /// Texts of others after `read_seq`.
    pub unread: i64,
    pub notify: Notify,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<Timestamp>,
}

/// Bytes of the members that a conversation is shown with.
const SHOWN_BYTES: usize = 56 * 1024;

/// Members as a conversation is shown with them.
pub struct ShownMembers<'a>(pub &'a [Member]);

impl Serialize for ShownMembers<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = 0;
        let fitting = self.0.iter().take_while(|member| {
            let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
            let texts = length(&member.display_name) + length(&member.avatar_url);
            // Some 120 for the names of the fields and the numbers.
            bytes += 120 + member.user_id.as_str().len() + texts;
            bytes <= SHOWN_BYTES
        });
        serializer.collect_seq(fitting)
    }
}

fn shown<S: serde::Serializer>(members: &[Member], serializer: S) -> Result<S::Ok, S::Error> {
    ShownMembers(members).serialize(serializer)
}

/// One group of a user, as little as routing needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    pub conversation_id: ConversationId,
    /// The seq of the last change of members when this was read.
    pub members_seq: Seq,
}

/// Who may do what in a conversation: what gateways keep in memory to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    pub id: ConversationId,
    pub kind: ConversationKind,
    /// The seq of the last change of members: of two views the one with the higher is newer.
    pub members_seq: Seq,
    /// Sorted by user id.
    pub members: Vec<(UserId, Role)>,
    /// Of a direct conversation: those of its users who blocked the other.
    pub blockers: Vec<UserId>,
}

impl View {
    pub fn role_of(&self, user: &UserId) -> Option<Role> {
        self.members.binary_search_by(|(id, _)| id.cmp(user)).ok().map(|place| self.members[place].1)
    }

    /// The other user of a direct conversation.
    pub fn peer_of(&self, user: &UserId) -> Option<&UserId> {
        match self.kind {
            ConversationKind::Direct => self.members.iter().map(|(id, _)| id).find(|id| *id != user),
            ConversationKind::Group | ConversationKind::Channel => None,
        }
    }
}
