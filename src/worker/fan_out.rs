//! Fanning a batch's events out, with a deadline: the store has them, so a fan-out that is away must not hold the log up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::persist::Pause;
use crate::fanout::Fanout;
use crate::model::{ConversationId, Event, EventBody, Target, UserId};

/// Shared by the partitions of a worker.
#[derive(Clone)]
pub(super) struct FanOut(Arc<Shared>);

struct Shared {
    fanout: Arc<dyn Fanout>,
    deadline: Duration,
    stop: CancellationToken,
    /// Events were skipped: until every gateway was told to resync, the rest is skipped too.
    away: AtomicBool,
}

impl FanOut {
    pub fn new(fanout: Arc<dyn Fanout>, deadline: Duration, stop: CancellationToken) -> Self {
        Self(Arc::new(Shared { fanout, deadline, stop, away: AtomicBool::new(false) }))
    }

    /// Publishes the events, or skips them when the fan-out does not take them in time. Before them, groups that users joined are
    /// routed to where those are, so that what is stored next finds them.
    pub async fn publish(&self, joined: Vec<(ConversationId, Vec<UserId>)>, events: Vec<Event>) {
        if events.is_empty() || self.0.away.load(Ordering::Acquire) {
            return;
        }
        let published = async {
            if !joined.is_empty() {
                self.0.fanout.bring_groups(&joined).await?;
            }
            self.0.fanout.publish(events).await
        };
        match tokio::time::timeout(self.0.deadline, published).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => tracing::warn!(%error, "worker.fan_out"),
            Err(_) => tracing::warn!(deadline = ?self.0.deadline, "worker.fan_out"),
        }
        if !self.0.away.swap(true, Ordering::AcqRel) {
            tokio::spawn(Arc::clone(&self.0).recover());
        }
    }
}

impl Shared {
    /// Waits until the fan-out answers, then has every gateway resync.
    async fn recover(self: Arc<Self>) {
        let mut pause = Pause::new();
        loop {
            if pause.wait(&self.stop).await.is_err() {
                return;
            }
            if !matches!(tokio::time::timeout(self.deadline, self.fanout.ping()).await, Ok(Ok(()))) {
                continue;
            }
            // Open again before the call to resync: what is stored in between is published or covered by it.
            self.away.store(false, Ordering::Release);
            let resync = Event {
                target: Target::Everyone,
                body: EventBody::Resync { reason: "the fan-out was away".to_owned() },
            };
            match tokio::time::timeout(self.deadline, self.fanout.publish(vec![resync])).await {
                Ok(Ok(())) => {
                    tracing::info!("worker.fan_out_recovered");
                    return;
                }
                Ok(Err(_)) | Err(_) => self.away.store(true, Ordering::Release),
            }
        }
    }
}
