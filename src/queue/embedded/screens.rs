//! What phones show, in SQLite.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension};

use super::EmbeddedQueue;
use crate::fanout::FanoutError;
use crate::model::Timestamp;
use crate::push::board::{Board, KEPT, ScreenKey, Swap};
use crate::store::sqlite::DatabaseError;

const GET: &str = "
    SELECT state FROM push_screens WHERE user_id = ?1 AND conversation_id = ?2 AND expires_at > ?3";
const SET: &str = "
    INSERT INTO push_screens (user_id, conversation_id, state, expires_at) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT DO UPDATE SET state = excluded.state, expires_at = excluded.expires_at";
/// A few with every write: they expire no faster than they are made.
const EXPIRE: &str = "
    DELETE FROM push_screens WHERE (user_id, conversation_id) IN
        (SELECT user_id, conversation_id FROM push_screens WHERE expires_at <= ?1 LIMIT 100)";

/// Whether there are any states at all: where no phone ever rang, nobody has to ask the disk.
pub(super) struct Count(AtomicBool);

impl Count {
    /// Blocks: for the start of a program.
    pub fn load(connection: &Connection) -> Result<Self, DatabaseError> {
        let any = connection.query_row("SELECT EXISTS (SELECT 1 FROM push_screens)", [], |row| row.get(0))?;
        Ok(Self(AtomicBool::new(any)))
    }
}

#[async_trait]
impl Board for EmbeddedQueue {
    async fn load(&self, keys: &[ScreenKey]) -> Result<Vec<Option<Bytes>>, FanoutError> {
        if keys.is_empty() || !self.screens.0.load(Ordering::Acquire) {
            return Ok(vec![None; keys.len()]);
        }
        let (keys, now) = (keys.to_vec(), Timestamp::now());
        let read = self.database.read(move |connection| -> Result<_, DatabaseError> {
            keys.iter().map(|key| get(connection, key, now)).collect()
        });
        read.await.map_err(unavailable)
    }

    async fn swap(&self, swaps: &[Swap]) -> Result<Vec<bool>, FanoutError> {
        let (swaps, now) = (swaps.to_vec(), Timestamp::now());
        // Before the write: who loads after it sees it.
        self.screens.0.store(true, Ordering::Release);
        let written = self.database.write(move |connection| -> Result<_, DatabaseError> {
            let expires = now.plus(KEPT).as_millis();
            let mut done = Vec::with_capacity(swaps.len());
            for swap in &swaps {
                let same = get(connection, &swap.key, now)? == swap.old;
                if same {
                    let key = (swap.key.user_id.as_str(), swap.key.conversation_id.as_uuid().into_bytes());
                    connection.prepare_cached(SET)?.execute((key.0, &key.1[..], &swap.new[..], expires))?;
                }
                done.push(same);
            }
            connection.prepare_cached(EXPIRE)?.execute([now.as_millis()])?;
            Ok(done)
        });
        written.await.map_err(unavailable)
    }
}

fn get(connection: &Connection, key: &ScreenKey, now: Timestamp) -> Result<Option<Bytes>, DatabaseError> {
    let conversation = key.conversation_id.as_uuid().into_bytes();
    let mut statement = connection.prepare_cached(GET)?;
    let state = statement.query_row((key.user_id.as_str(), &conversation[..], now.as_millis()), |row| {
        row.get::<_, Vec<u8>>(0)
    });
    Ok(state.optional()?.map(Bytes::from))
}

pub(super) fn unavailable(error: DatabaseError) -> FanoutError {
    FanoutError::Unavailable { message: "the queue's file".to_owned(), source: Some(Box::new(error)) }
}
