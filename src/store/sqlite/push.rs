//! What deciding about pushes has to know, and what became of each.

mod recipients;
mod traces;

use rusqlite::{Connection, OptionalExtension};

use super::log::{self, Touched};
use super::values::millis;
use super::{SqliteStore, outbox};
use crate::model::{ConversationId, Entry, Seq, Timestamp, UserId};
use crate::store::{PushPreferences, PushTrace, Pushes, RecipientsOf, Ringable, StoreError, Untold};

const PREFERENCES: &str = concat!("SELECT ", recipients::preference_columns!(), " FROM users WHERE id = ?1");
const READ_SEQ: &str = "SELECT read_seq FROM seen WHERE conversation_id = ?1 AND user_id = ?2";
const SET_PREFERENCES: &str = "
    UPDATE users SET quiet_from = ?2, quiet_until = ?3, quiet_zone = ?4, hold_unread_ms = ?5 WHERE id = ?1";

#[async_trait::async_trait]
impl Pushes for SqliteStore {
    async fn recipients(&self, of: &[RecipientsOf]) -> Result<Vec<Option<Ringable>>, StoreError> {
        let of = of.to_vec();
        self.read(move |connection| of.iter().map(|one| recipients::of(connection, one)).collect()).await
    }

    async fn entries(&self, of: &[(ConversationId, Seq)]) -> Result<Vec<Option<Entry>>, StoreError> {
        let of = of.to_vec();
        let touched = Touched::Conversations(of.iter().map(|(id, _)| *id).collect());
        self.read_of(touched, move |connection| {
            of.iter().map(|(id, seq)| log::entry_at(connection, *id, *seq)).collect()
        })
        .await
    }

    async fn read_seqs(&self, of: &[(ConversationId, UserId)]) -> Result<Vec<Option<Seq>>, StoreError> {
        let of = of.to_vec();
        let touched = Touched::Conversations(of.iter().map(|(id, _)| *id).collect());
        self.read_of(touched, move |connection| {
            let mut statement = connection.prepare_cached(READ_SEQ)?;
            let read = |(id, user): &(ConversationId, UserId)| {
                statement.query_row((id, user), |row| row.get(0)).optional()
            };
            Ok(of.iter().map(read).collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    async fn untold(&self) -> Result<Untold, StoreError> {
        let (rows, unreadable) = self.read_of(Touched::Nothing, outbox::rows).await?;
        Ok(Untold { texts: self.outbox.found(rows), unreadable })
    }

    async fn forget_unreadable(&self, row: i64) -> Result<(), StoreError> {
        self.write_of(Touched::Nothing, move |connection| outbox::forget(connection, row)).await
    }

    async fn told(&self, of: &[(ConversationId, Seq)]) {
        self.outbox.told(of, &self.database);
    }

    async fn push_preferences(&self, user: &UserId) -> Result<Option<PushPreferences>, StoreError> {
        let user = user.clone();
        self.read_of(Touched::Nothing, move |connection| {
            let mut statement = connection.prepare_cached(PREFERENCES)?;
            Ok(statement.query_row([&user], |row| recipients::preferences(row, 0)).optional()?)
        })
        .await
    }

    async fn set_push_preferences(
        &self,
        user: &UserId,
        preferences: &PushPreferences,
    ) -> Result<bool, StoreError> {
        let (user, wished) = (user.clone(), preferences.clone());
        self.write_of(Touched::Nothing, move |connection| set_preferences(connection, &user, &wished)).await
    }

    async fn trace_pushes(&self, traces: &[PushTrace]) -> Result<(), StoreError> {
        if traces.is_empty() {
            return Ok(());
        }
        let traces = traces.to_vec();
        self.write_of(Touched::Nothing, move |connection| {
            traces.iter().try_for_each(|trace| traces::write(connection, trace))
        })
        .await
    }

    async fn pushes_of(&self, id: ConversationId, seq: Seq) -> Result<Vec<PushTrace>, StoreError> {
        self.read_of(Touched::Nothing, move |connection| traces::of_message(connection, id, seq)).await
    }

    async fn forget_pushes(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.write_of(Touched::Nothing, move |connection| traces::forget(connection, before, limit)).await
    }
}

fn set_preferences(
    connection: &Connection,
    user: &UserId,
    wished: &PushPreferences,
) -> Result<bool, StoreError> {
    let quiet = wished.do_not_disturb.as_ref();
    let changed = connection.prepare_cached(SET_PREFERENCES)?.execute((
        user,
        quiet.map(|hours| hours.from_minute),
        quiet.map(|hours| hours.until_minute),
        quiet.map(|hours| &hours.time_zone),
        wished.hold_until_unread.map(millis),
    ))?;
    Ok(changed == 1)
}
