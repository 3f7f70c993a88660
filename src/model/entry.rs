//! Entries: everything that changes a conversation is one, with the next seq.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{ClientId, ConversationId, GatewayId, MessageId, Role, Seq, SessionId, Timestamp, UserId};

/// What an entry does to its conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    Text,
    Edit,
    Delete,
    Reaction,
    MemberJoined,
    MemberLeft,
    TitleChanged,
    RoleChanged,
}

impl EntryKind {
    pub const ALL: [Self; 8] = [
        Self::Text,
        Self::Edit,
        Self::Delete,
        Self::Reaction,
        Self::MemberJoined,
        Self::MemberLeft,
        Self::TitleChanged,
        Self::RoleChanged,
    ];

    /// The number under which the stores keep it; never reused.
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// Whether who the members are, or what they may do, changes with it.
    pub const fn changes_members(self) -> bool {
        matches!(self, Self::MemberJoined | Self::MemberLeft | Self::RoleChanged)
    }

    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// What an entry carries; which fields are set depends on its kind.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Body {
    /// The text; of a `title_changed` the new title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The application's own JSON, kept as it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
    /// The entry that an edit, delete or reaction aims at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_seq: Option<Seq>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Seq>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emoji: Option<String>,
    /// A reaction that is taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub remove: bool,
    /// Whom a member entry is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_ids: Vec<UserId>,
    /// The role that a `member_joined` or `role_changed` gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

/// What an application's backend may say about the push of one message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PushOverride {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sound: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
}

/// Who waits for the outcome of an entry: one socket or HTTP request of one gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    pub gateway: GatewayId,
    pub session: SessionId,
    /// An HTTP request waits for the stored entry; a socket only hears of refusals.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wants_stored: bool,
}

/// An entry on its way from the gateway to the log; it has no seq yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewEntry {
    pub conversation_id: ConversationId,
    pub sender_id: UserId,
    pub client_id: ClientId,
    pub kind: EntryKind,
    pub body: Body,
    /// The other user, when the conversation is direct; it is routed by its two users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<UserId>,
    /// The direct conversation may not be there yet: the store makes it first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub create: bool,
    /// The users that `create` and `member_joined` name may be made when they are unknown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provision: bool,
    /// When the gateway read it from the sender: the entry's `created_at`, in milliseconds.
    pub received_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<PushOverride>,
}

/// What an entry costs beside its text, data and names.
const OVERHEAD: usize = 256;

impl NewEntry {
    /// An entry by which a member changes the conversation itself, as HTTP does; a `client_id` is made when there is none.
    pub fn managing(
        conversation_id: ConversationId,
        sender: &UserId,
        client_id: Option<ClientId>,
        kind: EntryKind,
        body: Body,
    ) -> Self {
        Self {
            conversation_id,
            sender_id: sender.clone(),
            client_id: client_id.unwrap_or_default(),
            kind,
            body,
            peer: None,
            create: false,
            provision: false,
            received_ms: Timestamp::now().as_millis(),
            origin: None,
            push: None,
        }
    }

    /// About how many bytes it takes, on its way and in memory.
    pub fn bytes(&self) -> usize {
        let text = self.body.text.as_ref().map_or(0, String::len);
        let data = self.body.data.as_ref().map_or(0, |data| data.get().len());
        let names = self.body.user_ids.len() + self.body.mentions.len();
        OVERHEAD + text + data + 64 * names
    }

    pub fn received_at(&self) -> Timestamp {
        Timestamp::from_millis(self.received_ms)
    }
}

/// An entry of a log, as every reader sees it.
#[derive(Debug, Clone)]
pub struct Entry {
    pub conversation_id: ConversationId,
    pub seq: Seq,
    pub id: MessageId,
    pub kind: EntryKind,
    pub sender_id: UserId,
    pub client_id: Option<ClientId>,
    pub body: Body,
    pub created_at: Timestamp,
    pub edited_at: Option<Timestamp>,
    pub deleted_at: Option<Timestamp>,
    /// Summed up, in histories only.
    pub reactions: Vec<Reaction>,
}

/// One emoji under a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    pub emoji: String,
    pub count: i64,
    /// At most 20 of those who reacted, the earliest first.
    pub user_ids: Vec<UserId>,
}
