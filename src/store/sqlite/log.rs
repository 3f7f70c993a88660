//! The log of every conversation.

mod append;
mod effects;
mod expire;
mod head;
mod read;
mod rights;
mod row;

pub(super) use read::entry_at;

use super::SqliteStore;
use crate::model::{ClientId, ConversationId, Entry, NewEntry, Seq, Timestamp, UserId};
use crate::store::{Appended, HistoryPage, Log, Range, Span, StoreError, Target};

#[async_trait::async_trait]
impl Log for SqliteStore {
    async fn append(&self, batch: &[NewEntry]) -> Result<Vec<Appended>, StoreError> {
        let batch = batch.to_vec();
        self.write(move |connection| append::append(connection, &batch)).await
    }

    async fn history(
        &self,
        id: ConversationId,
        user: &UserId,
        range: Range,
        limit: usize,
    ) -> Result<Option<HistoryPage>, StoreError> {
        let user = user.clone();
        self.read(move |connection| read::history(connection, id, &user, range, limit)).await
    }

    async fn spans(&self, spans: &[Span]) -> Result<Vec<Vec<Entry>>, StoreError> {
        let spans = spans.to_vec();
        self.read(move |connection| spans.iter().map(|span| read::span(connection, span)).collect()).await
    }

    async fn target(
        &self,
        id: ConversationId,
        user: &UserId,
        seq: Seq,
    ) -> Result<Option<Target>, StoreError> {
        let user = user.clone();
        self.read(move |connection| read::target(connection, id, &user, seq)).await
    }

    async fn find(
        &self,
        id: ConversationId,
        sender: &UserId,
        client_id: ClientId,
    ) -> Result<Option<Entry>, StoreError> {
        let sender = sender.clone();
        self.read(move |connection| read::find(connection, id, &sender, client_id)).await
    }

    async fn expire(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let candidates = self.read(move |connection| expire::candidates(connection, before, limit)).await?;
        if candidates.is_empty() {
            return Ok(0);
        }
        self.write(move |connection| expire::expire(connection, &candidates, before, limit)).await
    }
}
