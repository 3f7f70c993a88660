//! What the journal holds, in memory as in its table.

use std::collections::hash_map::Entry as Place;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::Touched;
use super::waiting::{Placed, Text, Waiting, is_news, repeated};
use crate::model::{ConversationId, EntryKind, MessageId, NewEntry};
use crate::store::sqlite::log::append::{self, insert_row, refuse_nul, refused};
use crate::store::sqlite::log::head::{self, Head};
use crate::store::sqlite::log::{rights, row};
use crate::store::{Appended, Audience, StoreError};

const VERSION: &str = "SELECT version FROM journal_version";
const SET_VERSION: &str = "UPDATE journal_version SET version = ?1";
const ROWS: &str = "SELECT id, entries FROM journal ORDER BY id";
const INSERT: &str = "INSERT INTO journal (id, entries) VALUES (?1, ?2)";
const DELETE: &str = "DELETE FROM journal WHERE id <= ?1";

/// A conversation's texts wait so long for more of it,
const HOLD: Duration = Duration::from_secs(2);
/// unless so many wait in all: bounds the memory, and the time that a reader of everything waits.
const ENTRIES: usize = 60_000;
/// and so many bytes of them: bounds the memory too.
pub(super) const BYTES: usize = if cfg!(test) { 64 * 1024 } else { 32 * 1024 * 1024 };
/// Conversations that are known without being read again.
pub(super) const HEADS: usize = if cfg!(test) { 50 } else { 50_000 };

#[derive(Default)]
pub(super) struct State {
    /// That of the tables which this is the image of; `None` while it is being changed and after that failed.
    version: Option<i64>,
    dirty: bool,
    /// Conversations as they are with what waits.
    heads: HashMap<ConversationId, Head>,
    waiting: HashMap<ConversationId, Waiting>,
    /// Which conversation has waited for how long; some were moved meanwhile.
    order: VecDeque<(Instant, ConversationId)>,
    /// The rows of the table, each with how many of its entries wait.
    rows: VecDeque<(i64, usize)>,
    entries: usize,
    /// Of the texts and data that wait.
    bytes: usize,
    taken: u64,
}

#[derive(Serialize)]
struct Written<'a>(Placed, &'a NewEntry);

#[derive(Deserialize)]
struct Read(Placed, NewEntry);

impl State {
    /// Reads the tables when this is not their image: at the start, and after something was rolled back.
    pub(super) fn enter(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let version: i64 = connection.prepare_cached(VERSION)?.query_row([], |row| row.get(0))?;
        let known = self.version == Some(version);
        if !known {
            self.load(connection)?;
        }
        self.version = None;
        // What is read in a transaction is true only if that commits: its version is not that of what was there before.
        self.dirty = !known;
        Ok(())
    }

    pub(super) fn leave(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let mut version: i64 = connection.prepare_cached(VERSION)?.query_row([], |row| row.get(0))?;
        if self.dirty {
            version += 1;
            connection.prepare_cached(SET_VERSION)?.execute([version])?;
        }
        self.version = Some(version);
        Ok(())
    }

    #[cfg(test)]
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Batches taken since the start.
    pub(super) const fn taken(&self) -> u64 {
        self.taken
    }

    fn load(&mut self, connection: &Connection) -> Result<(), StoreError> {
        *self = Self { taken: self.taken + 1, ..Self::default() };
        let mut statement = connection.prepare_cached(ROWS)?;
        let mut rows = statement.query([])?;
        while let Some(found) = rows.next()? {
            let id: i64 = found.get(0)?;
            let read: Vec<Read> = serde_json::from_slice(&found.get::<_, Vec<u8>>(1)?).map_err(|error| {
                // Nothing that a call brought along: refused, the batches of others would be given up.
                StoreError::Unavailable {
                    message: "the journal holds what this release cannot read".to_owned(),
                    source: Some(Box::new(error)),
                }
            })?;
            let (places, entries): (Vec<Placed>, Vec<NewEntry>) =
                read.into_iter().map(|Read(place, entry)| (place, entry)).unzip();
            let batch: Arc<[NewEntry]> = entries.into();
            self.rows.push_back((id, 0));
            for (index, place) in places.into_iter().enumerate() {
                let conversation = batch[index].conversation_id;
                let Some(head) = self.head(connection, conversation)? else { continue };
                // What is not the next was moved already.
                if place.seq == head.last_seq.next() {
                    head.advance(&batch[index].sender_id, true);
                    self.put(conversation, Text { row: id, batch: Arc::clone(&batch), index, place });
                }
            }
        }
        Ok(())
    }

    fn head(&mut self, connection: &Connection, id: ConversationId) -> Result<Option<&mut Head>, StoreError> {
        Ok(match self.heads.entry(id) {
            Place::Occupied(known) => Some(known.into_mut()),
            Place::Vacant(place) => head::load(connection, id)?.map(|head| {
                self.dirty = true;
                place.insert(head)
            }),
        })
    }

    fn put(&mut self, conversation: ConversationId, text: Text) {
        if let Some((_, waiting)) = self.rows.back_mut().filter(|(id, _)| *id == text.row) {
            *waiting += 1;
        }
        self.entries += 1;
        self.bytes += text.bytes();
        let order = &mut self.order;
        let waiting = self.waiting.entry(conversation).or_insert_with(|| {
            let since = Instant::now();
            order.push_back((since, conversation));
            Waiting { since, texts: Vec::new() }
        });
        waiting.texts.push(text);
    }

    /// Whether all of the batch are texts in direct conversations that are there.
    pub(super) fn takes(&mut self, connection: &Connection, batch: &[NewEntry]) -> Result<bool, StoreError> {
        // Only between batches, which need all of their own.
        if self.heads.len() >= HEADS {
            let waiting = &self.waiting;
            self.heads.retain(|id, _| waiting.contains_key(id));
        }
        for entry in batch {
            let direct = entry.kind == EntryKind::Text
                && self.head(connection, entry.conversation_id)?.is_some_and(|head| head.pair.is_some());
            if !direct {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Gives a batch that it [`Self::takes`] its seqs and stores it as one row.
    pub(super) fn keep(
        &mut self,
        connection: &Connection,
        batch: &Arc<[NewEntry]>,
    ) -> Result<Vec<Appended>, StoreError> {
        let row = self.rows.back().map_or(1, |(id, _)| id + 1);
        self.rows.push_back((row, 0));
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut written = Vec::with_capacity(batch.len());
        for (index, entry) in batch.iter().enumerate() {
            refuse_nul(entry)?;
            let waiting = self.waiting.get(&entry.conversation_id);
            let Some(head) = self.heads.get_mut(&entry.conversation_id) else {
                return Err(refused("the conversation of a text is not known"));
            };
            if !is_news(connection, head, waiting, entry)? {
                if let Some(earlier) = waiting.and_then(|waiting| waiting.find(entry)) {
                    outcomes.push(repeated(head, earlier));
                    continue;
                }
                if let Some(earlier) = append::repeated(connection, head, entry)? {
                    outcomes.push(earlier);
                    continue;
                }
            }
            if let Err(refusal) = rights::check(connection, head, entry)? {
                outcomes.push(Appended::Refused(refusal));
                continue;
            }
            if head.last_seq.get() >= row::LAST_SEQ {
                return Err(refused("the conversation is full"));
            }
            head.advance(&entry.sender_id, true);
            if let Some(newest) = head.newest_of(&entry.sender_id) {
                *newest = (*newest).max(Some(entry.client_id));
            }
            let place = Placed { seq: head.last_seq, id: MessageId::new(), texts: head.text_count };
            outcomes.push(append::stored(head, place.id, Audience::default()));
            written.push(Written(place, entry));
            self.put(entry.conversation_id, Text { row, batch: Arc::clone(batch), index, place });
        }
        let bytes = serde_json::to_vec(&written).map_err(|error| StoreError::Refused {
            message: "a batch cannot be written as JSON".to_owned(),
            source: Some(Box::new(error)),
        })?;
        connection.prepare_cached(INSERT)?.execute((row, bytes))?;
        self.taken += 1;
        self.dirty = true;
        Ok(outcomes)
    }

    /// Moves what has waited long enough, or is too much, by about twice what came, or as many bytes as came: it never gets more, and
    /// no call waits long.
    pub(super) fn fold_due(&mut self, connection: &Connection, came: usize) -> Result<(), StoreError> {
        let mut room = came * 2;
        while let Some((since, id)) = self.order.front().copied()
            && (self.bytes > BYTES || room > 0 && (since.elapsed() >= HOLD || self.entries > ENTRIES))
        {
            self.order.pop_front();
            if self.waiting.get(&id).is_some_and(|waiting| waiting.since == since) {
                room = room.saturating_sub(self.fold_one(connection, id)?);
            }
        }
        self.trim(connection)
    }

    pub(super) fn fold(&mut self, connection: &Connection, touched: &Touched) -> Result<(), StoreError> {
        if self.is_empty() {
            return Ok(());
        }
        let ids: Vec<ConversationId> = match touched {
            Touched::Nothing => return Ok(()),
            Touched::Conversations(ids) => ids.clone(),
            Touched::Everything => self.waiting.keys().copied().collect(),
            Touched::Users(users) => {
                let of_one = |id: &&ConversationId| {
                    let pair = self.heads.get(id).and_then(|head| head.pair.as_ref());
                    pair.is_none_or(|pair| users.iter().any(|user| pair.has(user)))
                };
                self.waiting.keys().filter(of_one).copied().collect()
            }
        };
        for id in ids {
            self.fold_one(connection, id)?;
        }
        self.trim(connection)
    }

    /// Moves what a change of these conversations may meet, and forgets how they were.
    pub(super) fn give_way(&mut self, connection: &Connection, touched: &Touched) -> Result<(), StoreError> {
        self.fold(connection, touched)?;
        match touched {
            Touched::Nothing => {}
            Touched::Conversations(ids) => {
                for id in ids {
                    self.heads.remove(id);
                }
            }
            Touched::Users(_) | Touched::Everything => {
                let waiting = &self.waiting;
                self.heads.retain(|id, _| waiting.contains_key(id));
            }
        }
        Ok(())
    }

    fn fold_one(&mut self, connection: &Connection, id: ConversationId) -> Result<usize, StoreError> {
        let Some(waiting) = self.waiting.remove(&id) else { return Ok(0) };
        let Some(head) = self.heads.get(&id) else {
            return Err(refused("the conversation of a text is not known"));
        };
        for text in &waiting.texts {
            let Placed { seq, id, texts } = text.place;
            if !insert_row(connection, row::place(head.number, seq), id, texts, text.entry())? {
                return Err(refused("the log has an entry where one of the journal belongs"));
            }
            if let Ok(index) = self.rows.binary_search_by_key(&text.row, |(id, _)| *id) {
                self.rows[index].1 -= 1;
            }
        }
        head.save(connection)?;
        self.entries -= waiting.texts.len();
        self.bytes -= waiting.texts.iter().map(Text::bytes).sum::<usize>();
        self.dirty = true;
        Ok(waiting.texts.len())
    }

    /// Deletes the first rows, as far as nothing of them waits.
    fn trim(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let mut last = None;
        while let Some((id, 0)) = self.rows.front() {
            last = Some(*id);
            self.rows.pop_front();
        }
        if let Some(last) = last {
            connection.prepare_cached(DELETE)?.execute([last])?;
            self.dirty = true;
        }
        if self.is_empty() {
            self.order.clear();
        }
        Ok(())
    }
}
