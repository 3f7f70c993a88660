//! What became of pushes, for a day.

use std::collections::BTreeMap;

use tokio_postgres::Row;

use super::super::PostgresStore;
use super::super::error::Failure;
use super::super::session::repeat;
use super::super::values::{timestamp, user_id};
use crate::model::{ConversationId, DeviceId, Seq, Timestamp};
use crate::store::{PushTrace, StoreError};

const TRACE: &str = "
INSERT INTO push_traces (conversation_id, seq, user_id, device_id, decision, decided_at, provider, attempts, answered_at, status, answer)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::bigint[],
                     $9::bigint[], $10::integer[], $11::text[])
ON CONFLICT (conversation_id, seq, user_id, device_id) DO UPDATE
SET decision = excluded.decision, decided_at = excluded.decided_at, provider = excluded.provider, attempts = excluded.attempts,
    answered_at = excluded.answered_at, status = excluded.status, answer = excluded.answer";

const OF_MESSAGE: &str = "
SELECT user_id, device_id, decision, decided_at, provider, attempts, answered_at, status, answer
FROM push_traces WHERE conversation_id = $1 AND seq = $2
ORDER BY user_id, device_id";

/// What another transaction writes at the moment is not old, or is for the next time.
const FORGET: &str = "
DELETE FROM push_traces t USING (
    SELECT conversation_id, seq, user_id, device_id FROM push_traces
    WHERE decided_at < $1 ORDER BY decided_at LIMIT $2 FOR UPDATE SKIP LOCKED
) AS old
WHERE t.conversation_id = old.conversation_id AND t.seq = old.seq AND t.user_id = old.user_id AND t.device_id = old.device_id";

impl PostgresStore {
    pub(super) async fn write_traces(&self, traces: &[PushTrace]) -> Result<(), StoreError> {
        // Each once, and every writer in the same order, so that two of them cannot wait for each other.
        let mut last = BTreeMap::new();
        for trace in traces {
            last.insert((trace.conversation_id, trace.seq, &trace.user_id, &trace.device_id), trace);
        }
        let traces: Vec<&PushTrace> = last.into_values().collect();
        repeat(|| self.try_write_traces(&traces)).await
    }

    async fn try_write_traces(&self, traces: &[&PushTrace]) -> Result<(), Failure> {
        // A provider's words may hold the one character that Postgres does not take.
        let answers: Vec<Option<String>> =
            column(traces, |trace| trace.answer.as_ref().map(|answer| answer.replace('\0', "")));
        self.session()
            .await?
            .execute(
                TRACE,
                &[
                    &column(traces, |trace| trace.conversation_id.as_uuid()),
                    &column(traces, |trace| trace.seq.get()),
                    &column(traces, |trace| trace.user_id.as_str()),
                    &column(traces, |trace| trace.device_id.as_str()),
                    &column(traces, |trace| trace.decision.as_str()),
                    &column(traces, |trace| trace.decided_at.as_millis()),
                    &column(traces, |trace| trace.provider.as_deref()),
                    &column(traces, |trace| i64::from(trace.attempts)),
                    &column(traces, |trace| trace.answered_at.map(Timestamp::as_millis)),
                    &column(traces, |trace| trace.status.map(i32::from)),
                    &answers,
                ],
            )
            .await?;
        Ok(())
    }

    pub(super) async fn read_traces(&self, id: ConversationId, seq: Seq) -> Result<Vec<PushTrace>, Failure> {
        let rows = self.session().await?.query(OF_MESSAGE, &[&id.as_uuid(), &seq.get()]).await?;
        rows.iter().map(|row| trace(id, seq, row)).collect()
    }

    pub(super) async fn delete_traces(&self, before: Timestamp, limit: usize) -> Result<usize, Failure> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let gone = self.session().await?.execute(FORGET, &[&before.as_millis(), &limit]).await?;
        Ok(usize::try_from(gone).unwrap_or(usize::MAX))
    }
}

fn column<'a, T>(traces: &[&'a PushTrace], value: impl Fn(&'a PushTrace) -> T) -> Vec<T> {
    traces.iter().map(|trace| value(trace)).collect()
}

fn trace(conversation_id: ConversationId, seq: Seq, row: &Row) -> Result<PushTrace, Failure> {
    let status: Option<i32> = row.try_get("status")?;
    Ok(PushTrace {
        conversation_id,
        seq,
        user_id: user_id(row, "user_id")?,
        device_id: DeviceId::parse(row.try_get("device_id")?).map_err(|_| Failure::Unknown("a device id"))?,
        decision: row.try_get("decision")?,
        decided_at: timestamp(row, "decided_at")?.ok_or(Failure::Unknown("a trace"))?,
        provider: row.try_get("provider")?,
        attempts: u32::try_from(row.try_get::<_, i64>("attempts")?)
            .map_err(|_| Failure::Unknown("a number of attempts"))?,
        answered_at: timestamp(row, "answered_at")?,
        status: status.map(u16::try_from).transpose().map_err(|_| Failure::Unknown("a status"))?,
        answer: row.try_get("answer")?,
    })
}
