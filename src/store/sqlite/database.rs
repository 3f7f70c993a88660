//! One SQLite file: a thread that writes, a few that read, and a lock that keeps other processes out.
//!
//! It knows nothing of the store's tables, so another module can keep its own in the same or another file.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::migrations::{self, Migration};
use super::readers::Readers;
use super::writer::Writer;

/// How long opening waits for the process that had the folder before: one that was just told to stop.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);
/// How long a statement waits for SQLite's own locks. Only a checkpoint can hold them, for milliseconds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Small pages: an entry changes a few pages somewhere in the file, and each goes to the log as a whole.
const PAGE_BYTES: u32 = 2048;
/// The write-ahead log is folded into the file when it has grown so far: rarely, yet replayed in a moment after a kill.
const CHECKPOINT_BYTES: u32 = 64 * 1024 * 1024;
/// Page caches, in KiB: the writer's holds the ends of tens of thousands of logs.
const WRITER_CACHE_KIB: i64 = 128 * 1024;
const READER_CACHE_KIB: i64 = 64 * 1024;
/// More than there are different statements on one connection.
const STATEMENTS: usize = 128;

/// Why the database did not do what it was asked; nothing of the call was done.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("cannot use {path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("{0} belongs to another running process")]
    InUse(PathBuf),
    #[error("the database has schema {found}, this release knows {known}: it was written by a newer release")]
    TooNew { found: i64, known: i64 },
    #[error("too many calls are waiting for the database")]
    Overloaded,
    #[error("the database is closed")]
    Closed,
    /// The transaction that it shared with other calls could not be committed.
    #[error("the transaction was not committed: {0}")]
    NotCommitted(String),
    #[error("the call panicked")]
    Panicked,
}

/// A handle; the threads and the lock end when the last one is dropped and what waited is done.
#[derive(Clone)]
pub struct Database {
    writer: Writer,
    readers: Readers,
}

impl Database {
    /// Opens or makes `name` in `folder` (made too), brings its schema up to date, and starts one writing and `readers` reading threads.
    ///
    /// Blocks, up to 3 s when another process holds the folder: for the start of a program.
    pub fn open(
        folder: &Path,
        name: &str,
        schema: &[Migration],
        readers: usize,
    ) -> Result<Self, DatabaseError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| DatabaseError::File { path: folder.to_owned(), source })?;
        let lock = Arc::new(lock(&folder.join(format!("{name}.lock")))?);
        let path = folder.join(name);
        let mut connection = connect(&path, WRITER_CACHE_KIB)?;
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // FULL, not NORMAL: a commit is on the disk before anyone hears of it.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_BYTES / PAGE_BYTES)?;
        connection.pragma_update(None, "journal_size_limit", CHECKPOINT_BYTES)?;
        migrations::run(&mut connection, schema)?;
        let reading = (0..readers.max(1))
            .map(|_| {
                let connection = connect(&path, READER_CACHE_KIB)?;
                connection.pragma_update(None, "query_only", true)?;
                Ok(connection)
            })
            .collect::<Result<Vec<_>, DatabaseError>>()?;
        let started = |source| DatabaseError::File { path: path.clone(), source };
        let readers = Readers::start(reading, &lock).map_err(started)?;
        let writer = Writer::start(connection, &lock).map_err(started)?;
        Ok(Self { writer, readers })
    }

    /// Runs `call` in a transaction and answers once it is on the disk; an error of `call` undoes just what it did.
    ///
    /// Calls that wait at the same time share one transaction; when one of them fails the others are run again, so `call` must
    /// have no effect but on the database. Cancelling leaves it done or not done, never half.
    pub async fn write<T, E, F>(&self, call: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
        F: FnMut(&Connection) -> Result<T, E> + Send + 'static,
    {
        self.writer.run(call).await
    }

    /// Runs `call` on one snapshot, which has all that was answered before this call began.
    pub async fn read<T, E, F>(&self, call: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        self.readers.run(call).await
    }
}

fn connect(path: &Path, cache_kib: i64) -> Result<Connection, DatabaseError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Without it a statement is parsed and planned again for other values, which costs far more than running it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Negative: in KiB instead of pages.
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// The system drops the lock when the process ends, however it does.
fn lock(path: &Path) -> Result<File, DatabaseError> {
    let failed = |source| DatabaseError::File { path: path.to_owned(), source };
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(failed)?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if began.elapsed() < LOCK_PATIENCE => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => return Err(DatabaseError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
    }
}

#[cfg(test)]
mod tests;
