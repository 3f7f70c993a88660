//! The log of every conversation.

mod append;
mod effects;
mod expire;
mod head;
mod journal;
mod read;
mod rights;
mod row;

pub(super) use self::journal::{Journal, Touched};
pub(super) use read::entry_at;

use std::sync::Arc;

use super::SqliteStore;
use crate::model::{ClientId, ConversationId, Entry, NewEntry, Seq, Timestamp, UserId};
use crate::store::{Appended, HistoryPage, Log, Range, Span, StoreError, Target};

#[async_trait::async_trait]
impl Log for SqliteStore {
    async fn append(&self, batch: &[NewEntry]) -> Result<Vec<Appended>, StoreError> {
        let batch: Arc<[NewEntry]> = batch.into();
        let journal = Arc::clone(&self.journal);
        let outbox = Arc::clone(&self.outbox);
        let appended = self.database.write(move |connection| -> Result<_, StoreError> {
            let outcomes = journal.append(connection, &batch)?;
            let kept = outbox.keep(connection, &batch, &outcomes)?;
            Ok((outcomes, kept))
        });
        let (outcomes, kept) = appended.await?;
        self.outbox.kept(kept);
        Ok(outcomes)
    }

    async fn history(
        &self,
        id: ConversationId,
        user: &UserId,
        range: Range,
        limit: usize,
    ) -> Result<Option<HistoryPage>, StoreError> {
        let user = user.clone();
        let touched = Touched::Conversations(vec![id]);
        self.read_of(touched, move |connection| read::history(connection, id, &user, range, limit)).await
    }

    async fn spans(&self, spans: &[Span]) -> Result<Vec<Vec<Entry>>, StoreError> {
        let spans = spans.to_vec();
        let touched = Touched::Conversations(spans.iter().map(|span| span.conversation_id).collect());
        self.read_of(touched, move |connection| {
            spans.iter().map(|span| read::span(connection, span)).collect()
        })
        .await
    }

    async fn target(
        &self,
        id: ConversationId,
        user: &UserId,
        seq: Seq,
    ) -> Result<Option<Target>, StoreError> {
        let user = user.clone();
        let touched = Touched::Conversations(vec![id]);
        self.read_of(touched, move |connection| read::target(connection, id, &user, seq)).await
    }

    async fn find(
        &self,
        id: ConversationId,
        sender: &UserId,
        client_id: ClientId,
    ) -> Result<Option<Entry>, StoreError> {
        let sender = sender.clone();
        let touched = Touched::Conversations(vec![id]);
        self.read_of(touched, move |connection| read::find(connection, id, &sender, client_id)).await
    }

    async fn expire(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let candidates = self.read(move |connection| expire::candidates(connection, before, limit)).await?;
        if candidates.is_empty() {
            return Ok(0);
        }
        self.write(move |connection| expire::expire(connection, &candidates, before, limit)).await
    }
}
