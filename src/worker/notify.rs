//! Handing a stored batch to the push stage: one job, and none when nobody concerned has a device.

mod reachable;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use self::reachable::Reachable;
use super::persist::{Pause, Persisted, Stopped, bury};
use crate::fanout::Fanout;
use crate::model::{ConversationKind, EntryKind, NewEntry, Timestamp};
use crate::push::job::{Job, Notice};
use crate::queue::{PublishError, PushLane, PushQueue, Queue};
use crate::store::{Appended, Store, Stored, Unreadable, Untold};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{ConsumedQueue, DeadReason};

/// Shared by the partitions of a worker. By default nobody is notified.
#[derive(Clone, Default)]
pub(super) struct Notify(Option<Arc<Shared>>);

struct Shared {
    jobs: Arc<dyn PushQueue>,
    store: Arc<dyn Store>,
    reachable: Reachable,
}

/// Notices in one job after a restart; as many as a large batch has.
const RECOVERED_AT_ONCE: usize = 1000;
/// Where dead letters say that they are from; no queue, so a replay leaves them where they are.
const OUTBOX: &str = "outbox";

impl Notify {
    /// Remembers of so many users whether they have a device.
    pub fn new(
        jobs: Arc<dyn PushQueue>,
        store: &Arc<dyn Store>,
        fanout: &Arc<dyn Fanout>,
        device_cache: usize,
    ) -> Self {
        let reachable = Reachable::new(Arc::clone(store), Arc::clone(fanout), device_cache);
        Self(Some(Arc::new(Shared { jobs, store: Arc::clone(store), reachable })))
    }

    /// Returns once the batch's job survives any death, so before the batch is acknowledged. A batch that comes again is handed over
    /// again: nobody knows how far the first time came.
    pub async fn notify(
        &self,
        entries: &[NewEntry],
        results: &[Persisted],
        stop: &CancellationToken,
    ) -> Result<(), Stopped> {
        let Some(shared) = &self.0 else { return Ok(()) };
        let texts: Vec<(&NewEntry, &Stored)> = entries
            .iter()
            .zip(results)
            .filter(|(entry, _)| entry.kind == EntryKind::Text)
            .filter_map(|(entry, result)| match result {
                Persisted::Appended(Appended::Stored(stored)) => Some((entry, stored)),
                Persisted::Appended(Appended::Refused(_)) | Persisted::Dead => None,
            })
            .collect();
        shared.tell(&texts, stop).await
    }

    /// Hands over what an earlier process stored and did not come to hand over. Before anything new is stored.
    pub async fn recover(
        &self,
        queue: &dyn Queue,
        metrics: &Metrics,
        stop: &CancellationToken,
    ) -> Result<(), Stopped> {
        let Some(shared) = &self.0 else { return Ok(()) };
        let mut pause = Pause::new();
        let left = loop {
            match shared.store.untold().await {
                Ok(left) => break left,
                Err(error) if error.is_retryable() => {
                    tracing::warn!(%error, "worker.recover_notices");
                }
                // Waiting would not help, and messages go on without.
                Err(error) => {
                    tracing::error!(%error, "worker.recover_notices: pushes of before may be missing");
                    break Untold::default();
                }
            }
            pause.wait(stop).await?;
        };
        for unreadable in left.unreadable {
            metrics
                .queues
                .dead_lettered_messages_total
                .get(ConsumedQueue::Push, DeadReason::Undecodable)
                .inc();
            shared.set_aside(unreadable, queue, stop).await?;
        }
        if !left.texts.is_empty() {
            tracing::info!(texts = left.texts.len(), "worker.recover_notices");
        }
        let texts: Vec<_> = left.texts.iter().map(|(entry, stored)| (entry, stored)).collect();
        for texts in texts.chunks(RECOVERED_AT_ONCE) {
            shared.tell(texts, stop).await?;
        }
        Ok(())
    }
}

impl Shared {
    /// Puts what cannot be read with the dead letters, for an operator, so that it is not found again at every start. A death in between
    /// puts it there twice.
    async fn set_aside(
        &self,
        unreadable: Unreadable,
        queue: &dyn Queue,
        stop: &CancellationToken,
    ) -> Result<(), Stopped> {
        let Unreadable { row, bytes, reason } = unreadable;
        tracing::error!(row, reason, "worker.recover_notices: of some messages no phone rings");
        bury(queue, bytes.into(), &reason, OUTBOX, stop).await?;
        let mut pause = Pause::new();
        while let Err(error) = self.store.forget_unreadable(row).await {
            if !error.is_retryable() {
                tracing::error!(%error, row, "worker.recover_notices: it is found again at the next start");
                break;
            }
            tracing::warn!(%error, "worker.recover_notices");
            pause.wait(stop).await?;
        }
        Ok(())
    }

    async fn tell(&self, texts: &[(&NewEntry, &Stored)], stop: &CancellationToken) -> Result<(), Stopped> {
        let wanted = self.reachable.concerned(texts).await;
        let now = Timestamp::now();
        let notices: Vec<Notice> = texts
            .iter()
            .zip(wanted)
            .filter(|(_, wanted)| *wanted)
            .map(|((entry, stored), _)| notice(entry, stored, now))
            .collect();
        if !notices.is_empty() {
            self.put(notices, stop).await?;
        }
        let told: Vec<_> = texts.iter().map(|(entry, stored)| (entry.conversation_id, stored.seq)).collect();
        self.store.told(&told).await;
        Ok(())
    }

    async fn put(&self, notices: Vec<Notice>, stop: &CancellationToken) -> Result<(), Stopped> {
        let job = Job::Stored(notices).to(PushLane::Work, None);
        let mut pause = Pause::new();
        loop {
            match self.jobs.put(vec![job.clone()]).await {
                Ok(()) => return Ok(()),
                // Nobody works on pushes, for long: messages go on without.
                Err(error @ PublishError::Nacked) => {
                    tracing::error!(%error, "worker.notify: the push queue is full, phones do not ring");
                    return Ok(());
                }
                Err(error) => tracing::warn!(%error, "worker.notify"),
            }
            pause.wait(stop).await?;
        }
    }
}

/// A batch that comes again is fanned out only now, so its recipients have their whole time to acknowledge again.
fn notice(entry: &NewEntry, stored: &Stored, now: Timestamp) -> Notice {
    let direct = stored.kind == ConversationKind::Direct;
    Notice {
        conversation_id: entry.conversation_id,
        seq: stored.seq,
        id: stored.id,
        sender_id: entry.sender_id.clone(),
        peer: entry.peer.clone().filter(|_| direct),
        stored_ms: now.as_millis(),
        push: entry.push.clone(),
    }
}
