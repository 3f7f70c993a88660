//! The wire form of an entry: a `message` frame, and the objects of `sync` and `history`.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::model::{
    Body, ClientId, ConversationId, Entry, EntryKind, MessageId, NewEntry, Reaction, Role, Seq, Timestamp,
    UserId,
};

/// An entry of a conversation's log: everything that changes a conversation is one.
#[derive(Serialize, ToSchema)]
pub struct Message<'a> {
    #[serde(rename = "type")]
    frame: &'static str,
    pub conversation_id: ConversationId,
    pub seq: Seq,
    pub id: MessageId,
    pub kind: EntryKind,
    pub sender_id: &'a UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_seq: Option<Seq>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<Seq>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    mentions: &'a [UserId],
    #[serde(skip_serializing_if = "Option::is_none")]
    emoji: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    remove: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    user_ids: &'a [UserId],
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    pub created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "sums")]
    #[schema(value_type = BTreeMap<String, ReactionSum<'a>>)]
    reactions: &'a [Reaction],
}

impl<'a> Message<'a> {
    /// An entry that was just stored under this seq: nothing edited yet.
    pub fn live(entry: &'a NewEntry, seq: Seq, id: MessageId) -> Self {
        Self {
            client_id: Some(entry.client_id),
            created_at: entry.received_at(),
            ..Self::of(entry.conversation_id, seq, id, entry.kind, &entry.sender_id, &entry.body)
        }
    }

    fn of(
        conversation_id: ConversationId,
        seq: Seq,
        id: MessageId,
        kind: EntryKind,
        sender_id: &'a UserId,
        body: &'a Body,
    ) -> Self {
        Self {
            frame: "message",
            conversation_id,
            seq,
            id,
            kind,
            sender_id,
            client_id: None,
            text: body.text.as_deref(),
            data: body.data.as_deref(),
            target_seq: body.target_seq,
            reply_to: body.reply_to,
            mentions: &body.mentions,
            emoji: body.emoji.as_deref(),
            remove: body.remove,
            user_ids: &body.user_ids,
            role: body.role,
            created_at: Timestamp::from_millis(0),
            edited_at: None,
            deleted_at: None,
            reactions: &[],
        }
    }
}

impl<'a> From<&'a Entry> for Message<'a> {
    fn from(entry: &'a Entry) -> Self {
        Self {
            client_id: entry.client_id,
            created_at: entry.created_at,
            edited_at: entry.edited_at,
            deleted_at: entry.deleted_at,
            reactions: &entry.reactions,
            ..Self::of(entry.conversation_id, entry.seq, entry.id, entry.kind, &entry.sender_id, &entry.body)
        }
    }
}

/// Entries as a list of messages.
pub struct Messages<'a>(pub &'a [Entry]);

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Message::from))
    }
}

/// How often an emoji stands under a message.
#[derive(Serialize, ToSchema)]
pub struct ReactionSum<'a> {
    count: i64,
    /// At most 20 of those who reacted, the earliest first.
    user_ids: &'a [UserId],
}

/// Emoji that are shown under one message: with 20 names each they still fit into a frame.
const EMOJI: usize = 32;

/// `{emoji: {user_ids, count}}`
fn sums<S: Serializer>(reactions: &&[Reaction], serializer: S) -> Result<S::Ok, S::Error> {
    let sums = reactions.iter().take(EMOJI).map(|reaction| {
        let Reaction { emoji, count, user_ids } = reaction;
        (emoji, ReactionSum { count: *count, user_ids })
    });
    serializer.collect_map(sums)
}
