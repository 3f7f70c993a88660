//! What became of pushes, for a day.

use rusqlite::{Connection, Row};

use super::super::values::count;
use crate::model::{ConversationId, Seq, Timestamp};
use crate::store::{PushTrace, StoreError};

const WRITE: &str = "
    INSERT INTO push_traces (conversation_id, seq, user_id, device_id, decision, decided_at, provider, attempts,
                             answered_at, status, answer)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
    ON CONFLICT DO UPDATE SET
        decision = excluded.decision, decided_at = excluded.decided_at, provider = excluded.provider,
        attempts = excluded.attempts, answered_at = excluded.answered_at, status = excluded.status, answer = excluded.answer";
const OF_MESSAGE: &str = "
    SELECT user_id, device_id, decision, decided_at, provider, attempts, answered_at, status, answer
    FROM push_traces WHERE conversation_id = ?1 AND seq = ?2 ORDER BY user_id, device_id";
const FORGET: &str = "
    DELETE FROM push_traces WHERE (conversation_id, seq, user_id, device_id) IN (
        SELECT conversation_id, seq, user_id, device_id FROM push_traces
        WHERE decided_at < ?1 ORDER BY decided_at LIMIT ?2)";

pub(super) fn write(connection: &Connection, trace: &PushTrace) -> Result<(), StoreError> {
    connection.prepare_cached(WRITE)?.execute((
        trace.conversation_id,
        trace.seq,
        &trace.user_id,
        &trace.device_id,
        &trace.decision,
        trace.decided_at,
        &trace.provider,
        trace.attempts,
        trace.answered_at,
        trace.status,
        &trace.answer,
    ))?;
    Ok(())
}

pub(super) fn of_message(
    connection: &Connection,
    id: ConversationId,
    seq: Seq,
) -> Result<Vec<PushTrace>, StoreError> {
    let read = |row: &Row<'_>| {
        Ok(PushTrace {
            conversation_id: id,
            seq,
            user_id: row.get(0)?,
            device_id: row.get(1)?,
            decision: row.get(2)?,
            decided_at: row.get(3)?,
            provider: row.get(4)?,
            attempts: row.get(5)?,
            answered_at: row.get(6)?,
            status: row.get(7)?,
            answer: row.get(8)?,
        })
    };
    let mut statement = connection.prepare_cached(OF_MESSAGE)?;
    Ok(statement.query_map((id, seq), read)?.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn forget(connection: &Connection, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
    Ok(connection.prepare_cached(FORGET)?.execute((before, count(limit)))?)
}
