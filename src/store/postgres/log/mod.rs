//! The log: appending, reading, letting go.

mod change;
mod create;
mod expire;
mod hopeful;
mod judged;
mod members;
mod messages;
mod read;
mod rows;
mod texts;

pub(super) use create::{MAKE_USERS, Wanted};
pub(super) use rows::entry;

use std::collections::BTreeSet;

use uuid::Uuid;

use self::judged::LOCK;
use self::texts::{Texts, is_text};
use super::PostgresStore;
use super::error::Failure;
use super::session::{Session, repeat};
use crate::model::{ClientId, ConversationId, Entry, NewEntry, Seq, Timestamp, UserId};
use crate::store::{Appended, HistoryPage, Log, Range, Span, StoreError, Target};

#[async_trait::async_trait]
impl Log for PostgresStore {
    async fn append(&self, batch: &[NewEntry]) -> Result<Vec<Appended>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        repeat(|| self.try_append(batch)).await
    }

    async fn history(
        &self,
        id: ConversationId,
        user: &UserId,
        range: Range,
        limit: usize,
    ) -> Result<Option<HistoryPage>, StoreError> {
        Ok(self.read_history(id, user, range, limit).await?)
    }

    async fn spans(&self, spans: &[Span]) -> Result<Vec<Vec<Entry>>, StoreError> {
        Ok(self.read_spans(spans).await?)
    }

    async fn target(
        &self,
        id: ConversationId,
        user: &UserId,
        seq: Seq,
    ) -> Result<Option<Target>, StoreError> {
        Ok(self.read_target(id, user, seq).await?)
    }

    async fn find(
        &self,
        id: ConversationId,
        sender: &UserId,
        client_id: ClientId,
    ) -> Result<Option<Entry>, StoreError> {
        Ok(self.read_named(id, sender, client_id).await?)
    }

    async fn expire(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        repeat(|| self.try_expire(before, limit)).await
    }
}

impl PostgresStore {
    async fn try_append(&self, batch: &[NewEntry]) -> Result<Vec<Appended>, Failure> {
        let wanted = Wanted::of(batch);
        let locks: BTreeSet<Uuid> = batch.iter().map(|entry| entry.conversation_id.as_uuid()).collect();
        let locks: Vec<Uuid> = locks.into_iter().collect();
        let mut session = self.appending_session().await?;
        if batch.iter().all(is_text) {
            let texts = Texts::of(batch);
            return match hopeful::append(&mut session, &texts, wanted.as_ref()).await? {
                Some(outcomes) => Ok(outcomes),
                None => judged::append_alone(&mut session, &texts, wanted.as_ref(), &locks).await,
            };
        }
        session.begin().await?;
        let result = append_mixed(&mut session, batch, wanted.as_ref(), &locks).await;
        session.finish(result).await
    }
}

/// Texts that follow each other go together; everything else, which is rare, on its own.
async fn append_mixed(
    session: &mut Session,
    batch: &[NewEntry],
    wanted: Option<&Wanted<'_>>,
    locks: &[Uuid],
) -> Result<Vec<Appended>, Failure> {
    if let Some(wanted) = wanted {
        wanted.make(session).await?;
    }
    session.query(LOCK, &[&locks]).await?;
    let mut outcomes = Vec::with_capacity(batch.len());
    for run in batch.chunk_by(|one, next| is_text(one) && is_text(next)) {
        match run {
            [entry] if !is_text(entry) => outcomes.push(change::append(session, entry).await?),
            texts => outcomes.extend(judged::append(session, &Texts::of(texts)).await?),
        }
    }
    Ok(outcomes)
}
