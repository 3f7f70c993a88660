//! Dead letters in SQLite.

use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{Connection, OpenFlags};

use super::EmbeddedQueue;
use super::push::Jobs;
use super::screens::Count;
use crate::model::Timestamp;
use crate::queue::{
    Batch, DeadLetter, DeadLetters, LetterId, PushJob, PushLane, PushQueue, Queue, QueueError, Replayed,
};
use crate::store::sqlite::{Database, DatabaseError, Migration};

const FILE: &str = "queue.sqlite";

const SCHEMA: &[Migration] = &[
    Migration {
        version: 1,
        name: "initial",
        sql: include_str!("../../../migrations/sqlite/queue_0001_initial.sql"),
    },
    Migration {
        version: 2,
        name: "push",
        sql: include_str!("../../../migrations/sqlite/queue_0002_push.sql"),
    },
];

const INSERT: &str = "INSERT INTO dead_letters (payload, reason, source, dead_at) VALUES (?1, ?2, ?3, ?4)";
const LIST: &str = "SELECT id, payload, reason, source, dead_at FROM dead_letters ORDER BY id LIMIT ?1";
const COUNT: &str = "SELECT count(*) FROM dead_letters";
const DELETE: &str = "DELETE FROM dead_letters WHERE id = ?1";

/// Opens the file, and reads what an earlier process left of the push stage.
pub(super) fn open(data_dir: &Path) -> Result<(Database, Jobs, Count), DatabaseError> {
    let database = Database::open(data_dir, FILE, SCHEMA, 1)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(data_dir.join(FILE), flags)?;
    Ok((database, Jobs::load(&connection)?, Count::load(&connection)?))
}

/// The oldest dead letters in `data_dir`, at most `limit`, for another process than the one that has the queue.
///
/// # Errors
/// There is no such file, or it cannot be read.
pub fn dead_letters(data_dir: &Path, limit: usize) -> Result<Vec<DeadLetter>, DatabaseError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(data_dir.join(FILE), flags)?;
    list(&connection, i64::try_from(limit).unwrap_or(i64::MAX))
}

fn list(connection: &Connection, limit: i64) -> Result<Vec<DeadLetter>, DatabaseError> {
    let mut statement = connection.prepare_cached(LIST)?;
    let letters = statement.query_map([limit], |row| {
        Ok(DeadLetter {
            id: LetterId(row.get::<_, i64>(0)?.to_string()),
            payload: Bytes::from(row.get::<_, Vec<u8>>(1)?),
            reason: row.get(2)?,
            source: row.get(3)?,
            dead_at: Timestamp::from_millis(row.get(4)?),
        })
    })?;
    Ok(letters.collect::<Result<_, _>>()?)
}

impl From<DatabaseError> for QueueError {
    fn from(error: DatabaseError) -> Self {
        Self::Unavailable { message: "the queue's file".to_owned(), source: Some(Box::new(error)) }
    }
}

impl EmbeddedQueue {
    pub(super) async fn count_dead(&self) -> Result<u64, QueueError> {
        let count = self.database.read(|connection| -> Result<i64, DatabaseError> {
            Ok(connection.query_row(COUNT, [], |row| row.get(0))?)
        });
        Ok(u64::try_from(count.await?).unwrap_or(0))
    }

    /// Puts a letter back to where it came from; whether it is there.
    async fn send_again(&self, letter: &DeadLetter) -> bool {
        if let Some(lane) = PushLane::of_queue(&letter.source) {
            return self
                .put(vec![PushJob { lane, due: None, payload: letter.payload.clone() }])
                .await
                .is_ok();
        }
        let batch = Batch::decode(&letter.payload).ok().filter(|batch| !batch.entries().is_empty());
        let Some(batch) = batch else { return false };
        let partition = self.partitions.of(batch.entries()[0].conversation_id);
        self.publish(partition, batch).await.is_ok()
    }

    async fn forget(&self, id: &LetterId) -> Result<(), QueueError> {
        let id: i64 = id.0.parse().unwrap_or(0);
        let deleted = self.database.write(move |connection| -> Result<(), DatabaseError> {
            connection.execute(DELETE, [id])?;
            Ok(())
        });
        Ok(deleted.await?)
    }
}

#[async_trait]
impl DeadLetters for EmbeddedQueue {
    async fn bury(&self, payload: Bytes, reason: &str, source: &str) -> Result<(), QueueError> {
        let (reason, source) = (reason.to_owned(), source.to_owned());
        let written = self.database.write(move |connection| -> Result<(), DatabaseError> {
            let now = Timestamp::now().as_millis();
            connection.execute(INSERT, (&payload[..], &reason, &source, now))?;
            Ok(())
        });
        Ok(written.await?)
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, QueueError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        Ok(self.database.read(move |connection| list(connection, limit)).await?)
    }

    async fn replay(&self, ids: &[LetterId]) -> Result<Replayed, QueueError> {
        let mut done = Replayed::default();
        for letter in self.dead_letters(usize::MAX).await? {
            let wanted = ids.is_empty() || ids.contains(&letter.id);
            if !wanted || !self.send_again(&letter).await {
                done.left += 1;
                continue;
            }
            self.forget(&letter.id).await?;
            done.replayed += 1;
        }
        Ok(done)
    }
}
