//! The threads that read, each with its own connection, all from one queue.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::database::DatabaseError;

/// Calls that may wait; past it callers wait for room.
const QUEUE: usize = 1024;
/// How long a caller waits for room before it is told that the database is overloaded.
const PATIENCE: Duration = Duration::from_secs(5);

type Call = Box<dyn FnOnce(&Connection) + Send>;

#[derive(Clone)]
pub(super) struct Readers {
    calls: mpsc::Sender<Call>,
}

impl Readers {
    pub(super) fn start(connections: Vec<Connection>, lock: &Arc<File>) -> std::io::Result<Self> {
        let (calls, waiting) = mpsc::channel::<Call>(QUEUE);
        let waiting = Arc::new(Mutex::new(waiting));
        for connection in connections {
            let waiting = Arc::clone(&waiting);
            let lock = Arc::clone(lock);
            std::thread::Builder::new().name("sqlite-reader".to_owned()).spawn(move || {
                while let Some(call) = take(&waiting) {
                    call(&connection);
                }
                drop(connection);
                drop(lock);
            })?;
        }
        Ok(Self { calls })
    }

    pub(super) async fn run<T, E, F>(&self, call: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let call: Call = Box::new(move |connection| {
            if !answer.is_closed() {
                let result = catch_unwind(AssertUnwindSafe(|| on_one_snapshot(connection, call)))
                    .unwrap_or_else(|_| Err(DatabaseError::Panicked.into()));
                // A caller who has gone needs no answer.
                let _ = answer.send(result);
            }
        });
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

/// The lock is held while waiting: one idle thread listens, the others queue behind it.
fn take(waiting: &Mutex<mpsc::Receiver<Call>>) -> Option<Call> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
}

fn on_one_snapshot<T, E: From<DatabaseError>>(
    connection: &Connection,
    call: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    // Dropped, also by a panic, it rolls back, which for reads is as good as a commit.
    let snapshot = connection.unchecked_transaction().map_err(DatabaseError::from)?;
    call(&snapshot)
}
