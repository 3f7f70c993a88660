//! Some jobs of a lane on their way from the queue to the provider's answers.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;

use super::look::{self, Ready};
use super::screens::Round;
use super::{Bounds, Item, Lane};
use crate::push::job::Job;
use crate::push::stage::Pause;
use crate::queue::PushDelivery;
use crate::telemetry::metrics::DeadReason;

/// Jobs that are looked at together. Each is done with by itself.
pub(super) struct Group {
    pub lane: Arc<Lane>,
    pub deliveries: Vec<PushDelivery>,
    /// Gets the tag of each job that is done with, whatever became of it.
    pub done: mpsc::Sender<u64>,
}

impl Group {
    /// Ends early, with jobs that are not done, only when it is told to leave.
    pub async fn run(self, look: Option<OwnedSemaphorePermit>, bounds: Bounds) {
        let (lane, mut items, mut jobs) = (&self.lane, Vec::new(), Vec::new());
        for (job, delivery) in self.deliveries.iter().enumerate() {
            match Job::decode(&delivery.payload) {
                Ok(decoded) => items.extend(Item::of(decoded, delivery.redelivered)),
                Err(error) => {
                    tracing::error!(%error, lane = lane.lane.queue(), "push.poison");
                    let payload = delivery.payload.clone();
                    let reason = error.to_string();
                    if !lane.bury(payload, &reason, DeadReason::Undecodable, &bounds.stop).await {
                        return;
                    }
                }
            }
            jobs.resize(items.len(), job);
        }
        let looked_at = Instant::now();
        let Some(ready) = lane.look(&items, Round::First, &bounds).await else { return };
        drop(look);
        let mut open = Open { left: vec![0; self.deliveries.len()], group: &self };
        ready.iter().for_each(|ready| open.left[jobs[ready.place]] += 1);
        for job in 0..open.left.len() {
            open.tell(job);
        }
        lane.send(ready, looked_at, &bounds, |place| open.settled(jobs[place])).await;
    }
}

impl Lane {
    /// Looks at these as often as it takes. When it comes back, what follows for those that are not ready is safe; `None` when it is to
    /// leave before that.
    pub(super) async fn look(&self, items: &[Item], round: Round, bounds: &Bounds) -> Option<Vec<Ready>> {
        let mut pause = Pause::default();
        let looked = loop {
            match look::again(self, items, round).await {
                Ok(looked) => break looked,
                Err(error) => tracing::warn!(%error, "push.look_again"),
            }
            if !pause.wait(&bounds.leave).await {
                return None;
            }
        };
        self.parts.trace(&looked.traces).await;
        self.parts.put(looked.jobs, &bounds.leave).await.then_some(looked.ready)
    }
}

/// How many answers each job waits for.
struct Open<'a> {
    left: Vec<usize>,
    group: &'a Group,
}

impl Open<'_> {
    fn settled(&mut self, job: usize) {
        self.left[job] -= 1;
        self.tell(job);
    }

    fn tell(&self, job: usize) {
        if self.left[job] == 0 {
            // Nobody listens any more when the connection to the queue was lost: then the job comes again. There is room for all jobs.
            let _ = self.group.done.try_send(self.group.deliveries[job].tag);
        }
    }
}
