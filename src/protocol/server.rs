//! What the server says.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{ErrorCode, Shown};
use crate::model::{ClientId, Conversation, ConversationId, Presence, Seq, SessionId, Timestamp, UserId};

/// The longest frame that the server sends, in bytes.
pub const MAX_SERVER_FRAME: usize = 256 * 1024;

#[derive(Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame<'a> {
    /// The answer to a `hello` or `auth` that was good.
    Welcome(Welcome<'a>),
    /// The conversations of the user, each with what is missing after its cursor.
    Sync(SyncFrame<'a>),
    /// What was sent is durable and will get a seq.
    Accepted(Accepted<'a>),
    /// How far a member has received or read.
    Receipt(Receipt<'a>),
    /// Somebody is typing.
    Typing(Typing<'a>),
    /// Somebody is online or not.
    Presence(PresenceFrame<'a>),
    /// A conversation was made or changed, or this user was added or removed.
    Conversation(ConversationFrame<'a>),
    /// Messages, ascending.
    History(HistoryFrame<'a>),
    /// Live delivery may have missed something: send `sync`.
    Resync(Resync<'a>),
    /// The socket closes soon: connect again after so long.
    Reconnect(Reconnect<'a>),
    /// Something was not done.
    Error(ErrorFrame<'a>),
    /// The answer to `ping`.
    Pong(Pong<'a>),
}

#[derive(Serialize, ToSchema)]
pub struct Welcome<'a> {
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<&'a str>,
    pub session_id: SessionId,
    pub user_id: &'a UserId,
    pub heartbeat_s: u64,
    pub max_frame_bytes: usize,
    pub server_time: Timestamp,
}

#[derive(Serialize, ToSchema)]
pub struct SyncFrame<'a> {
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<&'a str>,
    /// Encoded already, to know its length.
    #[schema(value_type = Vec<SyncItem<'a>>)]
    pub conversations: &'a [Box<RawValue>],
    pub done: bool,
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum SyncItem<'a> {
    Present {
        #[schema(value_type = Conversation)]
        conversation: Shown<'a>,
        /// Oldest first.
        #[schema(value_type = Vec<super::Message<'a>>)]
        messages: &'a RawValue,
        limited: bool,
    },
    /// Not, or not any more, a conversation of this user.
    Removed {
        conversation: RemovedConversation,
        #[schema(value_type = Vec<super::Message<'a>>)]
        messages: [(); 0],
        limited: bool,
        removed: bool,
    },
}

#[derive(Serialize, ToSchema)]
pub struct RemovedConversation {
    pub id: ConversationId,
}

impl SyncItem<'_> {
    pub const fn removed(id: ConversationId) -> Self {
        Self::Removed {
            conversation: RemovedConversation { id },
            messages: [],
            limited: false,
            removed: true,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct Accepted<'a> {
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<&'a str>,
    pub client_id: ClientId,
    pub conversation_id: ConversationId,
}

#[derive(Serialize, ToSchema)]
pub struct Receipt<'a> {
    pub conversation_id: ConversationId,
    pub user_id: &'a UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_seq: Option<Seq>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_seq: Option<Seq>,
}

#[derive(Serialize, ToSchema)]
pub struct Typing<'a> {
    pub conversation_id: ConversationId,
    pub user_id: &'a UserId,
}

#[derive(Serialize, ToSchema)]
pub struct PresenceFrame<'a> {
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<&'a str>,
    #[serde(flatten)]
    pub presence: &'a Presence,
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum ConversationFrame<'a> {
    Changed { conversation: &'a Conversation },
    Removed { conversation: RemovedConversation, removed: bool },
}

impl ConversationFrame<'_> {
    pub fn removed(id: ConversationId) -> Self {
        Self::Removed { conversation: RemovedConversation { id }, removed: true }
    }
}

#[derive(Serialize, ToSchema)]
pub struct HistoryFrame<'a> {
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<&'a str>,
    pub conversation_id: ConversationId,
    /// Oldest first.
    #[schema(value_type = Vec<super::Message<'a>>)]
    pub messages: &'a [Box<RawValue>],
    pub has_more: bool,
    pub first_seq: Seq,
}

#[derive(Serialize, ToSchema)]
pub struct Resync<'a> {
    pub reason: &'a str,
}

#[derive(Serialize, ToSchema)]
pub struct Reconnect<'a> {
    pub after_ms: u64,
    pub reason: &'a str,
}

#[derive(Serialize, ToSchema)]
pub struct ErrorFrame<'a> {
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    pub code: ErrorCode,
    pub message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

#[derive(Serialize, ToSchema)]
pub struct Pong<'a> {
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<&'a str>,
    pub server_time: Timestamp,
}

/// A frame, or a [`super::Message`], as compact JSON.
pub fn encode(frame: &impl Serialize) -> Bytes {
    let mut json = Vec::with_capacity(256);
    serde_json::to_writer(&mut json, frame)
        .expect("frames have string keys only, and writing to memory cannot fail");
    Bytes::from(json)
}

/// A part of a frame, encoded to know its length.
pub fn encode_part(part: &impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(part)
        .expect("frames have string keys only, and writing to memory cannot fail")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_compact_json_objects_with_their_type_first() {
        let frame = ServerFrame::Error(ErrorFrame {
            reference: Some("r"),
            client_id: None,
            conversation_id: None,
            code: ErrorCode::RateLimited,
            message: "slow down",
            retry_after_ms: Some(20),
        });
        assert_eq!(
            encode(&frame),
            r#"{"type":"error","ref":"r","code":"rate_limited","message":"slow down","retry_after_ms":20}"#
        );
    }
}
