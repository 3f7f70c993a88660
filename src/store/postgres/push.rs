//! What deciding about pushes has to know, and what became of each.

mod recipients;
mod traces;

use uuid::Uuid;

use super::PostgresStore;
use super::error::Failure;
use super::log::entry;
use super::values::place;
use crate::model::{ConversationId, Entry, Seq, Timestamp, UserId};
use crate::store::{PushPreferences, PushTrace, Pushes, RecipientsOf, Ringable, StoreError};

const ENTRIES: &str = "
SELECT i.place, m.seq, m.id, m.kind, m.sender_id, m.client_id, m.text, m.data, m.extra, m.target_seq,
       m.created_at, m.edited_at, m.deleted_at
FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS i (conversation_id, seq, place)
JOIN messages m ON m.conversation_id = i.conversation_id AND m.seq = i.seq";

const READ_SEQS: &str = "
SELECT i.place, p.read_seq
FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS i (conversation_id, user_id, place)
JOIN member_positions p ON p.conversation_id = i.conversation_id AND p.user_id = i.user_id";

const PREFERENCES: &str =
    "SELECT quiet_from, quiet_until, quiet_zone, hold_unread_ms FROM users WHERE id = $1";

const SET_PREFERENCES: &str = "
UPDATE users SET quiet_from = $2, quiet_until = $3, quiet_zone = $4, hold_unread_ms = $5 WHERE id = $1";

#[async_trait::async_trait]
impl Pushes for PostgresStore {
    async fn recipients(&self, of: &[RecipientsOf]) -> Result<Vec<Option<Ringable>>, StoreError> {
        if of.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.read_recipients(of).await?)
    }

    async fn entries(&self, of: &[(ConversationId, Seq)]) -> Result<Vec<Option<Entry>>, StoreError> {
        if of.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.read_entries(of).await?)
    }

    async fn read_seqs(&self, of: &[(ConversationId, UserId)]) -> Result<Vec<Option<Seq>>, StoreError> {
        if of.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.read_positions(of).await?)
    }

    async fn push_preferences(&self, user: &UserId) -> Result<Option<PushPreferences>, StoreError> {
        let row = self.session().await?.query_opt(PREFERENCES, &[&user.as_str()]).await?;
        Ok(row.as_ref().map(recipients::preferences).transpose()?)
    }

    async fn set_push_preferences(
        &self,
        user: &UserId,
        preferences: &PushPreferences,
    ) -> Result<bool, StoreError> {
        Ok(self.write_preferences(user, preferences).await?)
    }

    async fn trace_pushes(&self, traces: &[PushTrace]) -> Result<(), StoreError> {
        if traces.is_empty() {
            return Ok(());
        }
        self.write_traces(traces).await
    }

    async fn pushes_of(&self, id: ConversationId, seq: Seq) -> Result<Vec<PushTrace>, StoreError> {
        Ok(self.read_traces(id, seq).await?)
    }

    async fn forget_pushes(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        Ok(self.delete_traces(before, limit).await?)
    }
}

impl PostgresStore {
    async fn read_entries(&self, of: &[(ConversationId, Seq)]) -> Result<Vec<Option<Entry>>, Failure> {
        let conversations: Vec<Uuid> = of.iter().map(|(id, _)| id.as_uuid()).collect();
        let seqs: Vec<i64> = of.iter().map(|(_, seq)| seq.get()).collect();
        let rows = self.session().await?.query(ENTRIES, &[&conversations, &seqs]).await?;
        let mut entries: Vec<Option<Entry>> = of.iter().map(|_| None).collect();
        for row in &rows {
            let place = place(row)?;
            if let (Some(slot), Some((id, _))) = (entries.get_mut(place), of.get(place)) {
                *slot = Some(entry(*id, row)?);
            }
        }
        Ok(entries)
    }

    async fn read_positions(&self, of: &[(ConversationId, UserId)]) -> Result<Vec<Option<Seq>>, Failure> {
        let conversations: Vec<Uuid> = of.iter().map(|(id, _)| id.as_uuid()).collect();
        let users: Vec<&str> = of.iter().map(|(_, user)| user.as_str()).collect();
        let rows = self.session().await?.query(READ_SEQS, &[&conversations, &users]).await?;
        let mut read = vec![None; of.len()];
        for row in &rows {
            if let Some(slot) = read.get_mut(place(row)?) {
                *slot = Some(Seq::new(row.try_get("read_seq")?));
            }
        }
        Ok(read)
    }

    async fn write_preferences(&self, user: &UserId, preferences: &PushPreferences) -> Result<bool, Failure> {
        let quiet = preferences.do_not_disturb.as_ref();
        let minute = |minute: u16| i16::try_from(minute).map_err(|_| Failure::Unknown("a minute of a day"));
        let from = quiet.map(|hours| minute(hours.from_minute)).transpose()?;
        let until = quiet.map(|hours| minute(hours.until_minute)).transpose()?;
        let zone = quiet.map(|hours| hours.time_zone.as_str());
        let hold = preferences
            .hold_until_unread
            .map(|hold| i64::try_from(hold.as_millis()))
            .transpose()
            .map_err(|_| Failure::Unknown("a duration"))?;
        let changed = self
            .session()
            .await?
            .execute(SET_PREFERENCES, &[&user.as_str(), &from, &until, &zone, &hold])
            .await?;
        Ok(changed == 1)
    }
}
