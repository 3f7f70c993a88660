//! How far members have read and received.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension};

use super::SqliteStore;
use super::log::Touched;
use crate::model::{ConversationId, Seq, UserId};
use crate::store::{Advanced, Cursors, Position, StoreError};

const STANDING: &str = "
    SELECT last_seq, read_seq, delivered_seq, seen_seq FROM seen WHERE conversation_id = ?1 AND user_id = ?2";
/// What expired has no texts any more, and `seen` knows that.
const READ: &str = "
    UPDATE members SET read_seq = ?3, read_texts = coalesce(
        (SELECT m.texts FROM conversations c JOIN messages m ON m.place = (c.number << 32) + ?3 WHERE c.id = ?1), read_texts)
    WHERE conversation_id = ?1 AND user_id = ?2";
const DELIVERED: &str = "UPDATE members SET delivered_seq = ?3 WHERE conversation_id = ?1 AND user_id = ?2";
const SEEN: &str = "UPDATE members SET seen_seq = ?3 WHERE conversation_id = ?1 AND user_id = ?2";
const BADGE: &str = "SELECT coalesce(sum(unread), 0) FROM seen WHERE user_id = ?1";

#[async_trait::async_trait]
impl Cursors for SqliteStore {
    async fn advance(&self, positions: &[Position]) -> Result<Vec<Advanced>, StoreError> {
        // Each member once, as far as anyone says.
        let mut wished: BTreeMap<(ConversationId, UserId), Furthest> = BTreeMap::new();
        for position in positions {
            let key = (position.conversation_id, position.user_id.clone());
            let furthest = wished.entry(key).or_default();
            furthest.read = position.read_seq.max(furthest.read);
            furthest.delivered = position.delivered_seq.max(furthest.delivered);
            furthest.seen = position.seen_seq.max(furthest.seen);
        }
        let touched = Touched::Conversations(wished.keys().map(|(id, _)| *id).collect());
        self.write_of(touched, move |connection| {
            let mut advanced = Vec::new();
            for ((id, user), furthest) in &wished {
                advanced.extend(advance(connection, *id, user, *furthest)?);
            }
            Ok(advanced)
        })
        .await
    }

    async fn badges(&self, users: &[UserId]) -> Result<Vec<i64>, StoreError> {
        let users = users.to_vec();
        self.read_of(Touched::Users(users.clone()), move |connection| {
            let mut statement = connection.prepare_cached(BADGE)?;
            let badge = |user| Ok(statement.query_row([user], |row| row.get(0))?);
            users.iter().map(badge).collect()
        })
        .await
    }
}

/// How far a member is to get.
#[derive(Debug, Clone, Copy, Default)]
struct Furthest {
    read: Seq,
    delivered: Seq,
    seen: Seq,
}

fn advance(
    connection: &Connection,
    id: ConversationId,
    user: &UserId,
    furthest: Furthest,
) -> Result<Option<Advanced>, StoreError> {
    let mut statement = connection.prepare_cached(STANDING)?;
    let standing: Option<(Seq, Seq, Seq, Seq)> = statement
        .query_row((id, user), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((last, was_read, was_delivered, was_seen)) = standing else {
        return Ok(None);
    };
    let read = furthest.read.min(last);
    let delivered = furthest.delivered.max(read).max(furthest.seen).min(last);
    let seen = furthest.seen.min(last);
    let read = Some(read).filter(|read| *read > was_read);
    let delivered = Some(delivered).filter(|delivered| *delivered > was_delivered);
    if let Some(read) = read {
        connection.prepare_cached(READ)?.execute((id, user, read))?;
    }
    if let Some(delivered) = delivered {
        connection.prepare_cached(DELIVERED)?.execute((id, user, delivered))?;
    }
    if seen > was_seen {
        connection.prepare_cached(SEEN)?.execute((id, user, seen))?;
    }
    let moved = read.is_some() || delivered.is_some();
    Ok(moved.then_some(Advanced {
        conversation_id: id,
        user_id: user.clone(),
        read_seq: read,
        delivered_seq: delivered,
    }))
}
