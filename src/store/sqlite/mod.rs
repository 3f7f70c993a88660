//! The store in one SQLite file, for `tidings dev` and small servers.
//!
//! The process that opened it is the only one that writes, on one thread, so nothing here has to
//! lock a row or repeat a transaction: whatever a write reads stays true until it commits.

mod conversations;
mod cursors;
mod database;
mod devices;
mod error;
mod log;
mod migrations;
mod outbox;
mod push;
mod readers;
mod relations;
mod users;
mod values;
mod writer;

use std::path::Path;
use std::sync::Arc;

pub use database::{Database, DatabaseError};
pub use migrations::Migration;

use self::log::{Journal, Touched};
use self::outbox::Outbox;
use super::{Store, StoreError};

/// The file's name in the data folder.
const FILE: &str = "tidings.sqlite";

/// A handle on the store; clones share it.
#[derive(Clone)]
pub struct SqliteStore {
    database: Database,
    journal: Arc<Journal>,
    outbox: Arc<Outbox>,
}

/// Opens the store in `data_dir`, which is made when missing, migrates it, and starts one writing and `readers` reading threads.
///
/// Blocks, up to 3 s when another process has the folder: for the start of a program.
///
/// # Errors
/// [`StoreError::Unavailable`] when another process has it, a newer release wrote it, or the disk does not let us; its message says which.
pub fn open(data_dir: &Path, readers: usize) -> Result<SqliteStore, StoreError> {
    let database = Database::open(data_dir, FILE, migrations::STORE, readers)?;
    Ok(SqliteStore { database, journal: Arc::default(), outbox: Arc::default() })
}

impl SqliteStore {
    /// Remembers with each batch that the push stage has to be told of it: see [`crate::store::Pushes::untold`].
    #[must_use]
    pub fn with_outbox(self) -> Self {
        self.outbox.open();
        self
    }

    async fn write<T, F>(&self, call: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&rusqlite::Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.write_of(Touched::Everything, call).await
    }

    async fn read<T, F>(&self, call: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&rusqlite::Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.read_of(Touched::Everything, call).await
    }

    /// Writes what concerns no more of the logs than `touched`.
    async fn write_of<T, F>(&self, touched: Touched, mut call: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&rusqlite::Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let journal = Arc::clone(&self.journal);
        let write = move |connection: &rusqlite::Connection| {
            journal.give_way(connection, &touched)?;
            call(connection)
        };
        self.database.write(write).await
    }

    /// Reads what concerns no more of the logs than `touched`.
    async fn read_of<T, F>(&self, touched: Touched, call: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&rusqlite::Connection) -> Result<T, StoreError> + Send + 'static,
    {
        if self.journal.may_hold(&touched) {
            let journal = Arc::clone(&self.journal);
            let moved = self.database.write(move |connection| journal.fold(connection, &touched)).await?;
            self.journal.committed(&moved);
        }
        self.database.read(call).await
    }
}

#[async_trait::async_trait]
impl Store for SqliteStore {
    async fn ping(&self) -> Result<(), StoreError> {
        // The writer answers only when it can begin and commit.
        self.write_of(Touched::Nothing, |_| Ok(())).await?;
        self.read_of(Touched::Nothing, |connection| {
            connection.query_row("SELECT 1", [], |_| Ok(()))?;
            Ok(())
        })
        .await
    }
}
