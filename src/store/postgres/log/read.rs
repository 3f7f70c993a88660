//! Reading the log as a member may.

use uuid::Uuid;

use super::super::PostgresStore;
use super::super::error::Failure;
use super::super::values::role;
use super::super::values::{place, user_id};
use super::rows::{entry, entry_kind, reactions, seq};
use crate::model::{ClientId, ConversationId, Entry, Seq, UserId};
use crate::store::{HistoryPage, Range, Span, Target};

/// One row at least for a member, with nothing in it when there is no entry.
macro_rules! history {
    ($from:literal, $direction:literal) => {
        concat!(
            "SELECT p.first_seq, e.*, CASE e.kind WHEN 0 THEN (
                SELECT json_agg(json_build_object('emoji', r.emoji, 'count', r.count, 'user_ids', r.users[1:20]) ORDER BY r.first)::text
                FROM (
                    SELECT emoji, count(*) AS count, array_agg(user_id ORDER BY seq) AS users, min(seq) AS first
                    FROM reactions WHERE conversation_id = $1 AND target_seq = e.seq GROUP BY emoji
                ) AS r
            ) END AS reactions
            FROM member_positions p
            LEFT JOIN LATERAL (
                SELECT m.seq, m.id, m.kind, m.sender_id, m.client_id, m.text, m.data, m.extra, m.target_seq,
                       m.created_at, m.edited_at, m.deleted_at
                FROM messages m
                WHERE m.conversation_id = $1 AND m.seq >= p.first_seq AND ",
            $from,
            " ORDER BY m.seq ",
            $direction,
            " LIMIT $4
            ) AS e ON true
            WHERE p.conversation_id = $1 AND p.user_id = $2"
        )
    };
}

const HISTORY_BEFORE: &str = history!("m.seq < $3", "DESC");
const HISTORY_AFTER: &str = history!("m.seq > $3", "ASC");

const SPANS: &str = "
SELECT s.place, e.*
FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
    WITH ORDINALITY AS s (conversation_id, user_id, after, up_to, most, place)
JOIN member_positions p ON p.conversation_id = s.conversation_id AND p.user_id = s.user_id
CROSS JOIN LATERAL (
    SELECT m.seq, m.id, m.kind, m.sender_id, m.client_id, m.text, m.data, m.extra, m.target_seq,
           m.created_at, m.edited_at, m.deleted_at
    FROM messages m
    WHERE m.conversation_id = s.conversation_id AND m.seq > s.after AND m.seq <= s.up_to AND m.seq >= p.first_seq
    ORDER BY m.seq LIMIT s.most
) AS e
ORDER BY s.place, e.seq";

const TARGET: &str = "
SELECT m.kind, m.sender_id, m.deleted_at IS NOT NULL AS deleted, p.role
FROM member_positions p
JOIN messages m ON m.conversation_id = p.conversation_id AND m.seq = $3 AND m.seq >= p.first_seq
WHERE p.conversation_id = $1 AND p.user_id = $2";

pub(super) const FIND: &str = "
SELECT seq, id, kind, sender_id, client_id, text, data, extra, target_seq, created_at, edited_at, deleted_at
FROM messages
WHERE conversation_id = $1 AND sender_id = $2 AND client_id = $3";

impl PostgresStore {
    pub(super) async fn read_history(
        &self,
        id: ConversationId,
        user: &UserId,
        range: Range,
        limit: usize,
    ) -> Result<Option<HistoryPage>, Failure> {
        let (sql, from) = match range {
            Range::Before(seq) => (HISTORY_BEFORE, seq.get()),
            Range::After(seq) => (HISTORY_AFTER, seq.get()),
        };
        let limit = limit.max(1);
        // One more than asked says whether there are more.
        let most = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let rows = self.session().await?.query(sql, &[&id.as_uuid(), &user.as_str(), &from, &most]).await?;
        let Some(first) = rows.first() else {
            return Ok(None);
        };
        let first_seq = seq(first, "first_seq")?;
        let mut entries = Vec::with_capacity(rows.len());
        for row in &rows {
            if row.try_get::<_, Option<i64>>("seq")?.is_some() {
                let mut entry = entry(id, row)?;
                entry.reactions = reactions(row.try_get("reactions")?)?;
                entries.push(entry);
            }
        }
        let has_more = entries.len() > limit;
        entries.truncate(limit);
        entries.sort_unstable_by_key(|entry| entry.seq);
        Ok(Some(HistoryPage { entries, has_more, first_seq }))
    }

    pub(super) async fn read_spans(&self, spans: &[Span]) -> Result<Vec<Vec<Entry>>, Failure> {
        let mut answer: Vec<Vec<Entry>> = spans.iter().map(|_| Vec::new()).collect();
        if spans.is_empty() {
            return Ok(answer);
        }
        let conversations: Vec<Uuid> = spans.iter().map(|span| span.conversation_id.as_uuid()).collect();
        let users: Vec<&str> = spans.iter().map(|span| span.user_id.as_str()).collect();
        let after: Vec<i64> = spans.iter().map(|span| span.after.get()).collect();
        let up_to: Vec<i64> = spans.iter().map(|span| span.up_to.get()).collect();
        let limits: Vec<i64> =
            spans.iter().map(|span| i64::try_from(span.limit).unwrap_or(i64::MAX)).collect();
        let rows =
            self.session().await?.query(SPANS, &[&conversations, &users, &after, &up_to, &limits]).await?;
        for row in &rows {
            let place = place(row)?;
            if let (Some(entries), Some(span)) = (answer.get_mut(place), spans.get(place)) {
                entries.push(entry(span.conversation_id, row)?);
            }
        }
        Ok(answer)
    }

    pub(super) async fn read_target(
        &self,
        id: ConversationId,
        user: &UserId,
        seq: Seq,
    ) -> Result<Option<Target>, Failure> {
        let row =
            self.session().await?.query_opt(TARGET, &[&id.as_uuid(), &user.as_str(), &seq.get()]).await?;
        row.map(|row| {
            Ok(Target {
                kind: entry_kind(row.try_get("kind")?)?,
                sender_id: user_id(&row, "sender_id")?,
                deleted: row.try_get("deleted")?,
                role: role(row.try_get("role")?)?,
            })
        })
        .transpose()
    }

    pub(super) async fn read_named(
        &self,
        id: ConversationId,
        sender: &UserId,
        client_id: ClientId,
    ) -> Result<Option<Entry>, Failure> {
        let row = self
            .session()
            .await?
            .query_opt(FIND, &[&id.as_uuid(), &sender.as_str(), &client_id.as_uuid()])
            .await?;
        row.as_ref().map(|row| entry(id, row)).transpose()
    }
}
