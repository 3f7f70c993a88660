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
mod push;
mod readers;
mod relations;
mod users;
mod values;
mod writer;

use std::path::Path;

pub use database::{Database, DatabaseError};
pub use migrations::Migration;

use super::{Store, StoreError};

/// The file's name in the data folder.
const FILE: &str = "tidings.sqlite";

/// A handle on the store; clones share it.
#[derive(Clone)]
pub struct SqliteStore {
    database: Database,
}

/// Opens the store in `data_dir`, which is made when missing, migrates it, and starts one writing and `readers` reading threads.
///
/// Blocks, up to 3 s when another process has the folder: for the start of a program.
///
/// # Errors
/// [`StoreError::Unavailable`] when another process has it, a newer release wrote it, or the disk does not let us; its message says which.
pub fn open(data_dir: &Path, readers: usize) -> Result<SqliteStore, StoreError> {
    let database = Database::open(data_dir, FILE, migrations::STORE, readers)?;
    Ok(SqliteStore { database })
}

impl SqliteStore {
    async fn write<T, F>(&self, call: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&rusqlite::Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.database.write(call).await
    }

    async fn read<T, F>(&self, call: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&rusqlite::Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.database.read(call).await
    }
}

#[async_trait::async_trait]
impl Store for SqliteStore {
    async fn ping(&self) -> Result<(), StoreError> {
        // The writer answers only when it can begin and commit.
        self.write(|_| Ok(())).await?;
        self.read(|connection| {
            connection.query_row("SELECT 1", [], |_| Ok(()))?;
            Ok(())
        })
        .await
    }
}
