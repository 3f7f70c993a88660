//! The one thread that writes: it takes what waits and commits it together, so that one `fsync` serves many.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::database::DatabaseError;

/// Calls that may wait; past it callers wait for room.
const QUEUE: usize = 1024;
/// How long a caller waits for room before it is told that the database is overloaded.
const PATIENCE: Duration = Duration::from_secs(5);
/// A transaction takes no further calls after this time, so that the first ones get their answer soon.
const GROUP_TIME: Duration = Duration::from_millis(10);
/// Calls in one transaction; bounds what one failing commit takes along.
const GROUP_CALLS: usize = 512;

#[derive(Clone)]
pub(super) struct Writer {
    calls: mpsc::Sender<Box<dyn Call>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, lock: &Arc<File>) -> std::io::Result<Self> {
        let (calls, waiting) = mpsc::channel(QUEUE);
        let lock = Arc::clone(lock);
        std::thread::Builder::new().name("sqlite-writer".to_owned()).spawn(move || {
            serve(&connection, waiting);
            drop(connection);
            drop(lock);
        })?;
        Ok(Self { calls })
    }

    pub(super) async fn run<T, E, F>(&self, call: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
        F: FnMut(&Connection) -> Result<T, E> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let call = Box::new(Waiting { call, result: None, answer });
        match self.calls.send_timeout(call, PATIENCE).await {
            Ok(()) => {}
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
                return Err(DatabaseError::Overloaded.into());
            }
            Err(mpsc::error::SendTimeoutError::Closed(_)) => {
                return Err(DatabaseError::Closed.into());
            }
        }
        answered.await.unwrap_or_else(|_| Err(DatabaseError::Closed.into()))
    }
}

/// A call without its types.
trait Call: Send {
    /// Runs it, perhaps for the second time, when what it did the first time was undone; `false` when it failed.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Gives the answer, after the commit; `Err` when that failed.
    fn answer(self: Box<Self>, committed: Result<(), &str>);
}

struct Waiting<T, E, F> {
    call: F,
    result: Option<Result<T, E>>,
    answer: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Call for Waiting<T, E, F>
where
    T: Send,
    E: From<DatabaseError> + Send,
    F: FnMut(&Connection) -> Result<T, E> + Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        // Whoever asked has gone already: the call may as well not be done.
        if self.answer.is_closed() {
            self.result = None;
            return true;
        }
        let result = catch_unwind(AssertUnwindSafe(|| (self.call)(connection)))
            .unwrap_or_else(|_| Err(DatabaseError::Panicked.into()));
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn answer(self: Box<Self>, committed: Result<(), &str>) {
        let not_committed = |why: &str| Err(DatabaseError::NotCommitted(why.to_owned()).into());
        let result = match (self.result, committed) {
            // What the call itself had to say says more than the fate of the others.
            (Some(Err(error)), _) => Err(error),
            (_, Err(why)) => not_committed(why),
            (Some(result), Ok(())) => result,
            (None, Ok(())) => not_committed("it was not run"),
        };
        // A caller who has gone needs no answer.
        let _ = self.answer.send(result);
    }
}

/// Until every handle is gone and the queue is empty.
fn serve(connection: &Connection, mut waiting: mpsc::Receiver<Box<dyn Call>>) {
    let mut group = Vec::with_capacity(GROUP_CALLS);
    while let Some(first) = waiting.blocking_recv() {
        let committed = transaction(connection, first, &mut waiting, &mut group);
        if let Err(error) = &committed {
            tracing::error!(error, calls = group.len(), "sqlite transaction failed");
            if !connection.is_autocommit() {
                // When even that fails the next BEGIN fails too, and says so to its callers.
                let _ = connection.execute_batch("ROLLBACK");
            }
        }
        let committed = committed.as_ref().copied().map_err(String::as_str);
        for call in group.drain(..) {
            call.answer(committed);
        }
    }
}

/// Runs `first` and what waits in one transaction, and leaves the calls in `group` for their answers.
///
/// A savepoint before each call would undo a failed one alone, but SQLite then copies every page that the call
/// changes: a fifth of the writer's time. Failures are rare, so only a group that had one is run a second time, with savepoints.
fn transaction(
    connection: &Connection,
    first: Box<dyn Call>,
    waiting: &mut mpsc::Receiver<Box<dyn Call>>,
    group: &mut Vec<Box<dyn Call>>,
) -> Result<(), String> {
    let began = Instant::now();
    group.push(first);
    execute(connection, "BEGIN IMMEDIATE")?;
    let mut next = 0;
    while let Some(call) = group.get_mut(next) {
        if !run(connection, call)? {
            return with_savepoints(connection, group);
        }
        next += 1;
        if group.len() < GROUP_CALLS && began.elapsed() < GROUP_TIME {
            group.extend(waiting.try_recv());
        }
    }
    execute(connection, "COMMIT")
}

fn with_savepoints(connection: &Connection, group: &mut [Box<dyn Call>]) -> Result<(), String> {
    execute(connection, "ROLLBACK")?;
    if group.len() == 1 {
        return Ok(());
    }
    execute(connection, "BEGIN IMMEDIATE")?;
    for call in group {
        execute(connection, "SAVEPOINT one_call")?;
        if !run(connection, call)? {
            execute(connection, "ROLLBACK TO one_call")?;
        }
        execute(connection, "RELEASE one_call")?;
    }
    execute(connection, "COMMIT")
}

/// `Ok(false)` when the call failed, an error when SQLite ended the whole transaction, as it does when, for one, the disk is full.
fn run(connection: &Connection, call: &mut Box<dyn Call>) -> Result<bool, String> {
    let keep = call.run(connection);
    if connection.is_autocommit() {
        return Err("a statement ended it".to_owned());
    }
    Ok(keep)
}

fn execute(connection: &Connection, sql: &str) -> Result<(), String> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute([]))
        .map(drop)
        .map_err(|error| error.to_string())
}
