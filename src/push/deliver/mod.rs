//! Delivering: one lane a provider, so that a sick one starves nobody.

mod group;
mod item;
mod look;
mod ratio;
mod screens;
mod send;
mod settle;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use self::group::Group;
use self::item::Item;
use self::ratio::InvalidRatio;
use super::limits::Limited;
use super::stage::{Parts, Pause};
use crate::queue::{PushConsumer, PushDelivery, PushLane, QueueError};
use crate::telemetry::metrics::{self, ConsumeResult, ConsumedQueue, DeadReason};

/// Jobs that are looked at together, and how many such groups at a time.
const JOBS_A_GROUP: usize = 32;
const LOOKS: usize = 4;
/// How long the answers of the last requests may take to be settled when the consumer was lost.
const SETTLED_WITHIN: Duration = Duration::from_secs(5);

/// When groups end before they are done.
#[derive(Clone)]
struct Bounds {
    /// Makes no new request: the stage stops, or the connection to the queue was lost and somebody else gets the jobs.
    leave: CancellationToken,
    /// The stage stops: what is not safe at the first attempt comes again.
    stop: CancellationToken,
}

/// One provider's lane.
pub struct Lane {
    lane: PushLane,
    provider: Arc<Limited>,
    parts: Arc<Parts>,
    invalid: InvalidRatio,
}

impl Lane {
    pub fn new(lane: PushLane, provider: Arc<Limited>, parts: Arc<Parts>) -> Self {
        let invalid = InvalidRatio::new(parts.settings.max_invalid_ratio);
        Self { lane, provider, parts, invalid }
    }

    /// Delivers until `stop`, then finishes the requests that were made; what waits for its turn stays in the queue.
    pub async fn run(self, stop: CancellationToken) {
        let lane = Arc::new(self);
        let mut pause = Pause::default();
        while !stop.is_cancelled() {
            let lost = match lane.parts.jobs.consume_push(lane.lane, lane.prefetch()).await {
                Ok(mut consumer) => match lane.consume(&mut *consumer, &stop).await {
                    Ok(()) => return,
                    Err(error) => error,
                },
                Err(error) => error,
            };
            tracing::warn!(error = %lost, lane = lane.lane.queue(), "push.consume");
            if !pause.wait(&stop).await {
                return;
            }
        }
    }

    /// As many jobs as the provider is asked for at a time, and the next that are looked at meanwhile: what waits longer between the
    /// look and the request is looked at too early.
    fn prefetch(&self) -> u16 {
        u16::try_from(self.parts.settings.concurrency + JOBS_A_GROUP).unwrap_or(u16::MAX)
    }

    /// Works until `stop`, or until the consumer is lost, and then finishes what is under way. Requests that were made are not broken off
    /// with the consumer: the provider may have taken them, and whoever gets their jobs next would make them again.
    async fn consume(
        self: &Arc<Self>,
        consumer: &mut dyn PushConsumer,
        stop: &CancellationToken,
    ) -> Result<(), QueueError> {
        let bounds = Bounds { leave: stop.child_token(), stop: stop.clone() };
        let mut groups = JoinSet::new();
        let ended = self.take(consumer, &bounds, &mut groups).await;
        bounds.leave.cancel();
        let finished = async {
            while let Some(ended) = groups.join_next().await {
                note(ended);
            }
        };
        if tokio::time::timeout(self.parts.settings.request_timeout * 2 + SETTLED_WITHIN, finished)
            .await
            .is_err()
        {
            tracing::warn!(
                groups = groups.len(),
                lane = self.lane.queue(),
                "push.given_up: some may come twice"
            );
        }
        ended
    }

    /// Each job is acknowledged by itself, so that one whose answer is slow holds up no other.
    async fn take(
        self: &Arc<Self>,
        consumer: &mut dyn PushConsumer,
        bounds: &Bounds,
        groups: &mut JoinSet<()>,
    ) -> Result<(), QueueError> {
        let looks = Arc::new(Semaphore::new(LOOKS));
        // One message a job at most, and of jobs there are no more than are prefetched.
        let (done, mut finished) = mpsc::channel::<u64>(usize::from(self.prefetch()));
        loop {
            let stopping = bounds.stop.is_cancelled();
            if stopping && groups.is_empty() && finished.is_empty() {
                return Ok(());
            }
            tokio::select! {
                Some(tag) = finished.recv() => {
                    let mut tags = vec![tag];
                    while let Ok(tag) = finished.try_recv() {
                        tags.push(tag);
                    }
                    consumer.acknowledge(&tags).await?;
                    let consumed = &self.parts.metrics.queues.consumed_messages_total;
                    consumed.get(self.queue_label(), ConsumeResult::Stored).inc_by(tags.len() as u64);
                }
                Some(ended) = groups.join_next(), if !groups.is_empty() => note(ended),
                () = bounds.stop.cancelled(), if !stopping => {}
                (look, deliveries) = next(&looks, consumer), if !stopping => {
                    let group = Group { lane: Arc::clone(self), deliveries: deliveries?, done: done.clone() };
                    groups.spawn(group.run(look, bounds.clone()));
                }
            }
        }
    }

    async fn bury(
        &self,
        payload: bytes::Bytes,
        reason: &str,
        why: DeadReason,
        stop: &CancellationToken,
    ) -> bool {
        let dead = &self.parts.metrics.queues.dead_lettered_messages_total;
        dead.get(self.queue_label(), why).inc();
        self.parts.bury(payload, reason, self.lane, stop).await
    }

    fn queue_label(&self) -> ConsumedQueue {
        match self.lane {
            PushLane::Work => ConsumedQueue::Push,
            PushLane::Apns => ConsumedQueue::PushApns,
            PushLane::Fcm => ConsumedQueue::PushFcm,
            PushLane::Webpush => ConsumedQueue::PushWebpush,
            PushLane::Log => ConsumedQueue::PushLog,
        }
    }

    fn provider_label(&self) -> metrics::Provider {
        super::providers::label(self.lane)
    }
}

fn note(ended: Result<(), JoinError>) {
    // Its jobs are not acknowledged: the next consumer gets them.
    if let Err(error) = ended {
        tracing::error!(%error, "push.group");
    }
}

/// Room for a look, and then what is to be looked at. Cancel-safe.
async fn next(
    looks: &Arc<Semaphore>,
    consumer: &mut dyn PushConsumer,
) -> (Option<OwnedSemaphorePermit>, Result<Vec<PushDelivery>, QueueError>) {
    // It fails only once the semaphore is closed, which nobody does.
    let look = Arc::clone(looks).acquire_owned().await.ok();
    (look, consumer.receive(JOBS_A_GROUP).await)
}
