//! Batches of which the push stage is to be told: written with the batch, removed some time after the telling.
//!
//! The queue of one process keeps the jobs of the push stage in a file of its own, so that pushes and messages do not wait for each
//! other. What is stored in this file and not yet in that one when the process dies is found here by the next.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::{Database, devices};
use crate::model::{Body, ConversationId, ConversationKind, EntryKind, MessageId, NewEntry, Seq};
use crate::store::{Appended, Audience, StoreError, Stored, Unreadable};

const INSERT: &str = "INSERT INTO push_outbox (texts) VALUES (?1)";
const ROWS: &str = "SELECT id, texts FROM push_outbox ORDER BY id";
const DELETE: &str = "DELETE FROM push_outbox WHERE id = ?1";

/// What was told is removed so much later, many rows at once. A death in between has some of it told again.
const REMOVED_AFTER: Duration = Duration::from_millis(200);

/// The first text of a row names it.
type Key = (ConversationId, Seq);

#[derive(Default)]
pub(super) struct Outbox {
    on: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rows: HashMap<Key, i64>,
    told: Vec<i64>,
}

/// A text without what it says.
#[derive(Serialize, Deserialize)]
struct Text {
    entry: NewEntry,
    seq: Seq,
    id: MessageId,
    kind: ConversationKind,
}

/// A row of the table.
pub(super) struct Row {
    id: i64,
    texts: Vec<Text>,
}

impl Outbox {
    pub fn open(&self) {
        self.on.store(true, Ordering::Release);
    }

    /// In the transaction of the batch. Where nobody has a device it costs a look.
    pub fn keep(
        &self,
        connection: &Connection,
        batch: &[NewEntry],
        outcomes: &[Appended],
    ) -> Result<Option<(Key, i64)>, StoreError> {
        if !self.on.load(Ordering::Acquire) || !devices::any(connection)? {
            return Ok(None);
        }
        let texts: Vec<Text> = batch.iter().zip(outcomes).filter_map(text).collect();
        let Some(first) = texts.first() else { return Ok(None) };
        let key = (first.entry.conversation_id, first.seq);
        let bytes = serde_json::to_vec(&texts).map_err(|error| StoreError::Refused {
            message: "a batch cannot be written as JSON".to_owned(),
            source: Some(Box::new(error)),
        })?;
        Ok(Some((key, connection.prepare_cached(INSERT)?.insert([bytes])?)))
    }

    /// The batch is committed.
    pub fn kept(&self, row: Option<(Key, i64)>) {
        self.state().rows.extend(row);
    }

    /// What the last process left.
    pub fn found(&self, rows: Vec<Row>) -> Vec<(NewEntry, Stored)> {
        let mut state = self.state();
        let mut found = Vec::new();
        for row in rows {
            state.rows.extend(row.texts.first().map(|text| ((text.entry.conversation_id, text.seq), row.id)));
            found.extend(row.texts.into_iter().map(Text::stored));
        }
        found
    }

    pub fn told(self: &Arc<Self>, of: &[Key], database: &Database) {
        let mut state = self.state();
        let before = state.told.len();
        for key in of {
            let row = state.rows.remove(key);
            state.told.extend(row);
        }
        // Who added the first sees to the removal of all.
        if before > 0 || state.told.is_empty() {
            return;
        }
        let (outbox, database) = (Arc::clone(self), database.clone());
        tokio::spawn(async move {
            tokio::time::sleep(REMOVED_AFTER).await;
            let ids = std::mem::take(&mut outbox.state().told);
            let removed: Result<(), StoreError> = database
                .write(move |connection| {
                    let mut statement = connection.prepare_cached(DELETE)?;
                    ids.iter().try_for_each(|id| statement.execute([id]).map(drop))?;
                    Ok(())
                })
                .await;
            if let Err(error) = removed {
                tracing::warn!(%error, "sqlite.outbox: the next start tells the push stage again");
            }
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those that can be read, and the others. What is readable must not suffer for what is not.
pub(super) fn rows(connection: &Connection) -> Result<(Vec<Row>, Vec<Unreadable>), StoreError> {
    let mut statement = connection.prepare_cached(ROWS)?;
    let mut rows = statement.query([])?;
    let (mut found, mut unreadable) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let (id, bytes): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        match serde_json::from_slice(&bytes) {
            Ok(texts) => found.push(Row { id, texts }),
            Err(error) => unreadable.push(Unreadable { row: id, bytes, reason: error.to_string() }),
        }
    }
    Ok((found, unreadable))
}

pub(super) fn forget(connection: &Connection, row: i64) -> Result<(), StoreError> {
    connection.prepare_cached(DELETE)?.execute([row])?;
    Ok(())
}

fn text((entry, outcome): (&NewEntry, &Appended)) -> Option<Text> {
    match outcome {
        Appended::Stored(stored) if entry.kind == EntryKind::Text => Some(Text {
            entry: NewEntry { body: Body::default(), ..entry.clone() },
            seq: stored.seq,
            id: stored.id,
            kind: stored.kind,
        }),
        Appended::Stored(_) | Appended::Refused(_) => None,
    }
}

impl Text {
    fn stored(self) -> (NewEntry, Stored) {
        let stored = Stored {
            seq: self.seq,
            id: self.id,
            kind: self.kind,
            members_seq: Seq::ZERO,
            audience: Audience::default(),
            original: None,
        };
        (self.entry, stored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_row_keeps_nobody_from_the_others() {
        let connection = Connection::open_in_memory().unwrap();
        let table = "CREATE TABLE push_outbox (id INTEGER PRIMARY KEY, texts BLOB NOT NULL) STRICT";
        connection.execute_batch(table).unwrap();
        for texts in [&b"rubbish"[..], b"[]"] {
            connection.execute(INSERT, [texts]).unwrap();
        }
        let (readable, unreadable) = rows(&connection).unwrap();
        assert_eq!(readable.iter().map(|row| row.id).collect::<Vec<_>>(), [2]);
        let [damaged] = &unreadable[..] else { panic!("{unreadable:?}") };
        assert_eq!((damaged.row, &damaged.bytes[..]), (1, &b"rubbish"[..]));
        forget(&connection, damaged.row).unwrap();
        let (readable, unreadable) = rows(&connection).unwrap();
        assert_eq!((readable.len(), unreadable.len()), (1, 0));
    }
}
