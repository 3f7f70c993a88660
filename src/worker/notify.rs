//! Handing a stored batch to the push stage: one job, and none when nobody concerned has a device.

mod reachable;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use self::reachable::Reachable;
use super::persist::{Pause, Persisted, Stopped};
use crate::fanout::Fanout;
use crate::model::{ConversationKind, EntryKind, NewEntry, Timestamp};
use crate::push::job::{Job, Notice};
use crate::queue::{PublishError, PushLane, PushQueue};
use crate::store::{Appended, Store, Stored};

/// Shared by the partitions of a worker. By default nobody is notified.
#[derive(Clone, Default)]
pub(super) struct Notify(Option<Arc<Shared>>);

struct Shared {
    jobs: Arc<dyn PushQueue>,
    reachable: Reachable,
}

impl Notify {
    /// Remembers of so many users whether they have a device.
    pub fn new(
        jobs: Arc<dyn PushQueue>,
        store: &Arc<dyn Store>,
        fanout: &Arc<dyn Fanout>,
        device_cache: usize,
    ) -> Self {
        let reachable = Reachable::new(Arc::clone(store), Arc::clone(fanout), device_cache);
        Self(Some(Arc::new(Shared { jobs, reachable })))
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
        let wanted = shared.reachable.concerned(&texts).await;
        let now = Timestamp::now();
        let notices: Vec<Notice> = texts
            .into_iter()
            .zip(wanted)
            .filter(|(_, wanted)| *wanted)
            .map(|((entry, stored), _)| notice(entry, stored, now))
            .collect();
        if notices.is_empty() {
            return Ok(());
        }
        let job = Job::Stored(notices).to(PushLane::Work, None);
        let mut pause = Pause::new();
        loop {
            match shared.jobs.put(vec![job.clone()]).await {
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
