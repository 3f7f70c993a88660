//! How far members have read and received.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::PostgresStore;
use super::error::Failure;
use super::session::repeat;
use super::values::{place, user_id};
use crate::model::{ConversationId, Seq, UserId};
use crate::store::{Advanced, Cursors, Position, StoreError};

/// Locks in the order of the keys. Of two that move the same position the second looks again at what the first left, and
/// moves it only if that is further.
const ADVANCE: &str = "
WITH moving AS MATERIALIZED (
    SELECT p.conversation_id, p.user_id,
           CASE WHEN w.read_seq > p.read_seq THEN w.read_seq END AS read_seq,
           CASE WHEN w.delivered_seq > p.delivered_seq THEN w.delivered_seq END AS delivered_seq,
           CASE WHEN w.seen_seq > p.seen_seq THEN w.seen_seq END AS seen_seq,
           CASE WHEN w.read_seq = p.last_seq THEN p.text_count ELSE (
               SELECT m.texts FROM messages m WHERE m.conversation_id = p.conversation_id AND m.seq = w.read_seq
           ) END AS texts
    FROM (
        SELECT i.conversation_id, i.user_id, least(i.read_seq, c.last_seq) AS read_seq,
               least(greatest(i.delivered_seq, i.read_seq, i.seen_seq), c.last_seq) AS delivered_seq,
               least(i.seen_seq, c.last_seq) AS seen_seq
        FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
            AS i (conversation_id, user_id, read_seq, delivered_seq, seen_seq)
        JOIN conversations c ON c.id = i.conversation_id
    ) AS w
    JOIN member_positions p ON p.conversation_id = w.conversation_id AND p.user_id = w.user_id
    WHERE w.read_seq > p.read_seq OR w.delivered_seq > p.delivered_seq OR w.seen_seq > p.seen_seq
    ORDER BY p.conversation_id, p.user_id
)
UPDATE members m
SET read_texts = CASE WHEN v.read_seq > m.read_seq THEN coalesce(v.texts, m.read_texts) ELSE m.read_texts END,
    read_seq = greatest(m.read_seq, v.read_seq),
    delivered_seq = greatest(m.delivered_seq, v.delivered_seq),
    seen_seq = greatest(m.seen_seq, v.seen_seq)
FROM moving v
WHERE m.conversation_id = v.conversation_id AND m.user_id = v.user_id
  AND (v.read_seq > m.read_seq OR v.delivered_seq > m.delivered_seq OR v.seen_seq > m.seen_seq)
RETURNING m.conversation_id, m.user_id, v.read_seq, v.delivered_seq";

/// Read, delivered, seen.
type Wished<'a> = BTreeMap<(ConversationId, &'a UserId), (Seq, Seq, Seq)>;

const BADGES: &str = "
SELECT i.place, coalesce(sum(p.unread), 0)::bigint AS unread
FROM unnest($1::text[]) WITH ORDINALITY AS i (user_id, place)
LEFT JOIN member_positions p ON p.user_id = i.user_id
GROUP BY i.place";

#[async_trait::async_trait]
impl Cursors for PostgresStore {
    async fn advance(&self, positions: &[Position]) -> Result<Vec<Advanced>, StoreError> {
        if positions.is_empty() {
            return Ok(Vec::new());
        }
        // Each member once, as far as anyone says.
        let mut wished: Wished<'_> = BTreeMap::new();
        for position in positions {
            let key = (position.conversation_id, &position.user_id);
            let (read, delivered, seen) = wished.entry(key).or_default();
            *read = position.read_seq.max(*read);
            *delivered = position.delivered_seq.max(*delivered);
            *seen = position.seen_seq.max(*seen);
        }
        repeat(|| self.try_advance(&wished)).await
    }

    async fn badges(&self, users: &[UserId]) -> Result<Vec<i64>, StoreError> {
        Ok(self.read_badges(users).await?)
    }
}

impl PostgresStore {
    async fn try_advance(&self, wished: &Wished<'_>) -> Result<Vec<Advanced>, Failure> {
        let conversations: Vec<Uuid> = wished.keys().map(|(id, _)| id.as_uuid()).collect();
        let users: Vec<&str> = wished.keys().map(|(_, user)| user.as_str()).collect();
        let read: Vec<i64> = wished.values().map(|(read, ..)| read.get()).collect();
        let delivered: Vec<i64> = wished.values().map(|(_, seq, _)| seq.get()).collect();
        let seen: Vec<i64> = wished.values().map(|(.., seq)| seq.get()).collect();
        let rows =
            self.session().await?.query(ADVANCE, &[&conversations, &users, &read, &delivered, &seen]).await?;
        // Nobody is told of what was only seen.
        let told = |row: &&tokio_postgres::Row| {
            let moved = |column| !matches!(row.try_get::<_, Option<i64>>(column), Ok(None));
            moved("read_seq") || moved("delivered_seq")
        };
        rows.iter()
            .filter(told)
            .map(|row| {
                let position = |column| -> Result<Option<Seq>, Failure> {
                    Ok(row.try_get::<_, Option<i64>>(column)?.map(Seq::new))
                };
                Ok(Advanced {
                    conversation_id: ConversationId::from_uuid(row.try_get("conversation_id")?),
                    user_id: user_id(row, "user_id")?,
                    read_seq: position("read_seq")?,
                    delivered_seq: position("delivered_seq")?,
                })
            })
            .collect()
    }

    async fn read_badges(&self, users: &[UserId]) -> Result<Vec<i64>, Failure> {
        let names: Vec<&str> = users.iter().map(UserId::as_str).collect();
        let rows = self.session().await?.query(BADGES, &[&names]).await?;
        let mut badges = vec![0; users.len()];
        for row in &rows {
            if let Some(badge) = badges.get_mut(place(row)?) {
                *badge = row.try_get("unread")?;
            }
        }
        Ok(badges)
    }
}
