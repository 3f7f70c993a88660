//! An entry as its row.

use rusqlite::Row;
use rusqlite::types::Type;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::model::{Body, ConversationId, Entry, Role, Seq, UserId};
use crate::store::StoreError;

/// Conversations have 32 bits for their seqs in a place.
const SEQ_BITS: u32 = 32;
pub(super) const LAST_SEQ: i64 = (1 << SEQ_BITS) - 1;

/// The columns that [`entry`] reads, in its order.
macro_rules! columns {
    () => {
        "place, id, kind, sender_id, client_id, text, data, target_seq, extra, created_at, edited_at, deleted_at"
    };
}
pub(super) use columns;

/// The key of an entry: entries of one conversation lie together, in their order.
pub(super) const fn place(number: i64, seq: Seq) -> i64 {
    let seq = seq.get();
    (number << SEQ_BITS) | if seq > LAST_SEQ { LAST_SEQ } else { seq }
}

pub(super) const fn seq_at(place: i64) -> Seq {
    Seq::new(place & LAST_SEQ)
}

/// What few entries have, as JSON in one column.
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

/// The column `extra` of an entry with this body; most have none.
pub(super) fn extra(body: &Body) -> Result<Option<String>, StoreError> {
    let plain = body.reply_to.is_none()
        && body.mentions.is_empty()
        && body.emoji.is_none()
        && !body.remove
        && body.user_ids.is_empty()
        && body.role.is_none();
    if plain {
        return Ok(None);
    }
    let extra = Extra {
        reply_to: body.reply_to,
        mentions: body.mentions.clone(),
        emoji: body.emoji.clone(),
        remove: body.remove,
        user_ids: body.user_ids.clone(),
        role: body.role,
    };
    serde_json::to_string(&extra).map(Some).map_err(|error| StoreError::Refused {
        message: "an entry cannot be written as JSON".to_owned(),
        source: Some(Box::new(error)),
    })
}

/// Reads the row of [`columns`].
pub(super) fn entry(conversation_id: ConversationId, row: &Row<'_>) -> rusqlite::Result<Entry> {
    let data: Option<String> = row.get(6)?;
    let extra = match row.get_ref(8)?.as_str_or_null()? {
        Some(json) => serde_json::from_str(json).map_err(|error| not_json(8, error))?,
        None => Extra::default(),
    };
    Ok(Entry {
        conversation_id,
        seq: seq_at(row.get(0)?),
        id: row.get(1)?,
        kind: row.get(2)?,
        sender_id: row.get(3)?,
        client_id: row.get(4)?,
        body: Body {
            text: row.get(5)?,
            data: data.map(RawValue::from_string).transpose().map_err(|error| not_json(6, error))?,
            target_seq: row.get(7)?,
            reply_to: extra.reply_to,
            mentions: extra.mentions,
            emoji: extra.emoji,
            remove: extra.remove,
            user_ids: extra.user_ids,
            role: extra.role,
        },
        created_at: row.get(9)?,
        edited_at: row.get(10)?,
        deleted_at: row.get(11)?,
        reactions: Vec::new(),
    })
}

fn not_json(column: usize, error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}
