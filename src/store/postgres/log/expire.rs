//! Retention: letting the oldest entries go.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::super::PostgresStore;
use super::super::error::Failure;
use super::super::session::Session;
use super::judged::LOCK;
use crate::model::Timestamp;

/// Entries deleted by one transaction at most, whatever the caller allows: some 100 ms.
const ENTRIES: i64 = 10_000;

/// Conversations visited by one transaction, so that their locks are not held long.
const CONVERSATIONS: i64 = 500;

const CANDIDATES: &str = "
SELECT id FROM conversations WHERE oldest_at IS NOT NULL AND oldest_at < $1 ORDER BY oldest_at LIMIT $2";

/// Each conversation's oldest entries up to the first that is young enough, at most $3 of each.
const OLD: &str = "
SELECT c.id, count(*) AS entries
FROM unnest($1::uuid[]) AS wanted (id)
JOIN conversations c ON c.id = wanted.id
CROSS JOIN LATERAL (
    SELECT bool_and(page.created_at < $2) OVER (ORDER BY page.seq ROWS UNBOUNDED PRECEDING) AS old
    FROM (
        SELECT m.seq, m.created_at FROM messages m
        WHERE m.conversation_id = c.id AND m.seq >= c.first_seq ORDER BY m.seq LIMIT $3
    ) AS page
) AS entry
WHERE entry.old
GROUP BY c.id";

/// Deletes the first $2 entries that are there, with their reactions, and moves where history begins.
const EXPIRE: &str = "
WITH gone AS MATERIALIZED (
    SELECT c.id, c.first_seq, c.first_seq + w.entries AS new_first_seq
    FROM unnest($1::uuid[], $2::bigint[]) AS w (id, entries)
    JOIN conversations c ON c.id = w.id
), messages_gone AS (
    DELETE FROM messages m USING gone g
    WHERE m.conversation_id = g.id AND m.seq >= g.first_seq AND m.seq < g.new_first_seq
), reactions_gone AS (
    DELETE FROM reactions r USING gone g
    WHERE r.conversation_id = g.id AND r.target_seq >= g.first_seq AND r.target_seq < g.new_first_seq
)
UPDATE conversations c
SET first_seq = g.new_first_seq,
    expired_texts = (SELECT m.texts FROM messages m WHERE m.conversation_id = g.id AND m.seq = g.new_first_seq - 1),
    oldest_at = (SELECT m.created_at FROM messages m WHERE m.conversation_id = g.id AND m.seq = g.new_first_seq)
FROM gone g
WHERE c.id = g.id";

/// Clocks of two gateways differ: what seemed old by the conversation's oldest time may begin with an entry that is not.
const CORRECT: &str = "
UPDATE conversations c
SET oldest_at = (SELECT m.created_at FROM messages m WHERE m.conversation_id = c.id AND m.seq = c.first_seq)
WHERE c.id = ANY ($1::uuid[])";

impl PostgresStore {
    pub(super) async fn try_expire(&self, before: Timestamp, limit: usize) -> Result<usize, Failure> {
        let mut session = self.session().await?;
        session.begin().await?;
        let result = expire(&mut session, before, limit).await;
        session.finish(result).await
    }
}

async fn expire(session: &mut Session, before: Timestamp, limit: usize) -> Result<usize, Failure> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX).min(ENTRIES);
    let mut candidates: Vec<Uuid> = Vec::new();
    for row in session.query(CANDIDATES, &[&before.as_millis(), &CONVERSATIONS.min(limit)]).await? {
        candidates.push(row.try_get(0)?);
    }
    if candidates.is_empty() {
        return Ok(0);
    }
    session.query(LOCK, &[&candidates]).await?;
    let mut old = BTreeMap::new();
    for row in session.query(OLD, &[&candidates, &before.as_millis(), &limit]).await? {
        old.insert(row.try_get::<_, Uuid>(0)?, row.try_get::<_, i64>(1)?);
    }
    let (mut ids, mut counts) = (Vec::new(), Vec::new());
    let mut left = limit;
    for (id, entries) in &old {
        let entries = left.min(*entries);
        if entries > 0 {
            ids.push(*id);
            counts.push(entries);
            left -= entries;
        }
    }
    session.execute(EXPIRE, &[&ids, &counts]).await?;
    let young: Vec<Uuid> = candidates.into_iter().filter(|id| !old.contains_key(id)).collect();
    if !young.is_empty() {
        session.execute(CORRECT, &[&young]).await?;
    }
    Ok(usize::try_from(limit - left).unwrap_or(0))
}
