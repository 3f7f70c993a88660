//! Delivering: one lane a provider, so that a sick one starves nobody.

mod item;
mod look;
mod ratio;
mod send;
mod settle;

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::item::Item;
use self::ratio::InvalidRatio;
use super::job::Job;
use super::provider::Provider;
use super::stage::{Parts, Pause};
use crate::queue::{PushConsumer, PushDelivery, PushLane, QueueError};
use crate::telemetry::metrics::{self, ConsumeResult, ConsumedQueue, DeadReason};

/// Jobs that are looked at together, and how many such groups are under way: one whose answers are slow holds up only itself.
const JOBS_A_GROUP: usize = 32;
const GROUPS: usize = 16;
const PREFETCH: u16 = 256;

/// One provider's lane.
pub struct Lane {
    lane: PushLane,
    provider: Arc<dyn Provider>,
    parts: Arc<Parts>,
    invalid: InvalidRatio,
}

impl Lane {
    pub fn new(lane: PushLane, provider: Arc<dyn Provider>, parts: Arc<Parts>) -> Self {
        let invalid = InvalidRatio::new(parts.settings.max_invalid_ratio);
        Self { lane, provider, parts, invalid }
    }

    /// Delivers until `stop`, then finishes what is under way.
    pub async fn run(self, stop: CancellationToken) {
        let lane = Arc::new(self);
        let mut pause = Pause::default();
        while !stop.is_cancelled() {
            let lost = match lane.parts.jobs.consume_push(lane.lane, PREFETCH).await {
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

    async fn consume(
        self: &Arc<Self>,
        consumer: &mut dyn PushConsumer,
        stop: &CancellationToken,
    ) -> Result<(), QueueError> {
        let mut groups: JoinSet<Vec<u64>> = JoinSet::new();
        loop {
            let stopping = stop.is_cancelled();
            if stopping && groups.is_empty() {
                return Ok(());
            }
            tokio::select! {
                Some(ended) = groups.join_next(), if !groups.is_empty() => match ended {
                    Ok(tags) => {
                        consumer.acknowledge(&tags).await?;
                        let consumed = &self.parts.metrics.queues.consumed_messages_total;
                        consumed.get(self.queue_label(), ConsumeResult::Stored).inc_by(tags.len() as u64);
                    }
                    // Not acknowledged: the next consumer gets its jobs.
                    Err(error) => tracing::error!(%error, "push.group"),
                },
                () = stop.cancelled(), if !stopping => {}
                deliveries = consumer.receive(JOBS_A_GROUP), if !stopping && groups.len() < GROUPS => {
                    groups.spawn(Arc::clone(self).group(deliveries?, stop.clone()));
                }
            }
        }
    }

    /// Delivers some jobs; answers those that are done with, whatever became of them.
    async fn group(self: Arc<Self>, deliveries: Vec<PushDelivery>, stop: CancellationToken) -> Vec<u64> {
        let mut items = Vec::new();
        for delivery in &deliveries {
            match Job::decode(&delivery.payload) {
                Ok(job) => items.extend(Item::of(job)),
                Err(error) => {
                    tracing::error!(%error, lane = self.lane.queue(), "push.poison");
                    let payload = delivery.payload.clone();
                    if !self.bury(payload, &error.to_string(), DeadReason::Undecodable, &stop).await {
                        return Vec::new();
                    }
                }
            }
        }
        let mut pause = Pause::default();
        let looked = loop {
            match look::again(&self, &items).await {
                Ok(looked) => break looked,
                Err(error) => tracing::warn!(%error, "push.look_again"),
            }
            if !pause.wait(&stop).await {
                return Vec::new();
            }
        };
        self.parts.trace(&looked.traces).await;
        if !self.parts.put(looked.jobs, &stop).await || !self.send(looked.ready, &stop).await {
            return Vec::new();
        }
        deliveries.iter().map(|delivery| delivery.tag).collect()
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
