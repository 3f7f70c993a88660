//! Between entries and rows.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio_postgres::Row;

use super::super::error::Failure;
use super::super::values::{timestamp, user_id};
use crate::model::{
    Body, ClientId, ConversationId, Entry, EntryKind, MessageId, Reaction, Role, Seq, Timestamp, UserId,
};

/// What few entries have, kept as one JSON object.
#[derive(Default, Serialize, Deserialize)]
struct Extra {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply_to: Option<Seq>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mentions: Vec<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    emoji: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    remove: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    user_ids: Vec<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
}

/// The column `extra`; null when the entry has nothing of it, as most texts.
pub(super) fn extra(body: &Body) -> Option<String> {
    if body.reply_to.is_none()
        && body.mentions.is_empty()
        && body.emoji.is_none()
        && !body.remove
        && body.user_ids.is_empty()
        && body.role.is_none()
    {
        return None;
    }
    let extra = Extra {
        reply_to: body.reply_to,
        mentions: body.mentions.clone(),
        emoji: body.emoji.clone(),
        remove: body.remove,
        user_ids: body.user_ids.clone(),
        role: body.role,
    };
    serde_json::to_string(&extra).ok()
}

/// Reads a row of `messages` that carries these columns: seq, id, kind, sender_id, client_id, text, data, extra, target_seq,
/// created_at, edited_at, deleted_at.
pub(in crate::store::postgres) fn entry(
    conversation_id: ConversationId,
    row: &Row,
) -> Result<Entry, Failure> {
    let extra: Extra = match row.try_get::<_, Option<&str>>("extra")? {
        None => Extra::default(),
        Some(json) => serde_json::from_str(json).map_err(|_| Failure::Unknown("an entry"))?,
    };
    let data = row
        .try_get::<_, Option<String>>("data")?
        .map(RawValue::from_string)
        .transpose()
        .map_err(|_| Failure::Unknown("data that is not JSON and"))?;
    let client_id: Option<uuid::Uuid> = row.try_get("client_id")?;
    Ok(Entry {
        conversation_id,
        seq: seq(row, "seq")?,
        id: MessageId::from_uuid(row.try_get("id")?),
        kind: entry_kind(row.try_get("kind")?)?,
        sender_id: user_id(row, "sender_id")?,
        client_id: client_id.map(ClientId::from_uuid),
        body: Body {
            text: row.try_get("text")?,
            data,
            target_seq: row.try_get::<_, Option<i64>>("target_seq")?.map(Seq::new),
            reply_to: extra.reply_to,
            mentions: extra.mentions,
            emoji: extra.emoji,
            remove: extra.remove,
            user_ids: extra.user_ids,
            role: extra.role,
        },
        created_at: Timestamp::from_millis(row.try_get("created_at")?),
        edited_at: timestamp(row, "edited_at")?,
        deleted_at: timestamp(row, "deleted_at")?,
        reactions: Vec::new(),
    })
}

#[derive(Deserialize)]
struct StoredReaction {
    emoji: String,
    count: i64,
    user_ids: Vec<UserId>,
}

/// Reads reactions that the statement has summed up as JSON.
pub(super) fn reactions(json: Option<&str>) -> Result<Vec<Reaction>, Failure> {
    let Some(json) = json else {
        return Ok(Vec::new());
    };
    let stored: Vec<StoredReaction> =
        serde_json::from_str(json).map_err(|_| Failure::Unknown("a reaction"))?;
    Ok(stored
        .into_iter()
        .map(|reaction| Reaction {
            emoji: reaction.emoji,
            count: reaction.count,
            user_ids: reaction.user_ids,
        })
        .collect())
}

pub(super) fn seq(row: &Row, column: &str) -> Result<Seq, Failure> {
    Ok(Seq::new(row.try_get(column)?))
}

pub(super) fn entry_kind(code: i16) -> Result<EntryKind, Failure> {
    EntryKind::from_code(code).ok_or(Failure::Unknown("a kind of entry"))
}
