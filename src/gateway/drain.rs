//! Stopping without a storm: clients are sent away spread over the drain window.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::Gateway;
use super::session::Session;
use crate::protocol::{CloseCode, Reconnect, ServerFrame};

/// Between the advice and the close, so that the client has read it.
const ADVANCE: Duration = Duration::from_millis(50);

impl Gateway {
    /// Refuses new sockets and sends every client away at a moment of its own within `window`; returns when all are gone, or some
    /// time after the window. What was taken from them is settled before their sockets close, or not accepted.
    pub async fn drain(&self, window: Duration) {
        self.draining.store(true, Ordering::Relaxed);
        let began = Instant::now();
        let mut leaving: Vec<(Duration, Arc<Session>)> = Vec::with_capacity(self.registry.sockets());
        self.registry.for_each_session(|session| {
            leaving.push((window.mul_f64(rand::random_range(0.0..1.0)), Arc::clone(session)));
        });
        leaving.sort_unstable_by_key(|(after, _)| *after);
        tracing::info!(sockets = leaving.len(), ?window, "gateway.drain");
        for (after, session) in &leaving {
            let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            session.answer(&ServerFrame::Reconnect(Reconnect { after_ms, reason: "this process restarts" }));
        }
        for (after, session) in leaving {
            tokio::time::sleep_until(began + after + ADVANCE).await;
            session.close(CloseCode::Restarting);
        }
        // Those who came in while the list was made.
        self.registry.for_each_session(|session| session.close(CloseCode::Restarting));
    }

    /// Waits until every socket's task has ended.
    pub async fn finished(&self, limit: Duration) {
        self.tasks.close();
        if tokio::time::timeout(limit, self.tasks.wait()).await.is_err() {
            tracing::warn!(left = self.tasks.len(), "gateway.sockets_left");
        }
    }
}
