//! `accepted` that shares a write with the next frame of its socket: on a busy gateway that is the sender's own message, some
//! milliseconds later. What finds no company leaves by itself after `gateway.accepted_delay`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::session::Session;

/// Sockets in whose outboxes something waits for company.
pub struct Late {
    waiting: Mutex<Waiting>,
    bell: Notify,
    delay: Duration,
}

#[derive(Default)]
struct Waiting {
    sessions: Vec<Arc<Session>>,
    /// Nobody looks after them any more.
    closed: bool,
}

impl Late {
    pub fn new(delay: Duration) -> Self {
        Self { waiting: Mutex::default(), bell: Notify::new(), delay }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the socket's task woken later, when nothing else did before.
    pub fn wake(&self, session: Arc<Session>) {
        if !self.delay.is_zero() {
            let mut waiting = self.waiting();
            if !waiting.closed {
                waiting.sessions.push(session);
                let first = waiting.sessions.len() == 1;
                drop(waiting);
                if first {
                    self.bell.notify_one();
                }
                return;
            }
        }
        session.outbox.wake();
    }

    /// Wakes each socket between once and twice the delay after it was added, until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        let mut older = Vec::new();
        loop {
            if older.is_empty() {
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = self.bell.notified() => {}
                }
            }
            let younger = std::mem::take(&mut self.waiting().sessions);
            wake(std::mem::replace(&mut older, younger));
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(self.delay) => {}
            }
        }
        let left = {
            let mut waiting = self.waiting();
            waiting.closed = true;
            std::mem::take(&mut waiting.sessions)
        };
        wake(older);
        wake(left);
    }
}

fn wake(sessions: Vec<Arc<Session>>) {
    for session in sessions {
        session.outbox.wake();
    }
}
