//! The push stage: takes jobs from its queue, decides, and hands to providers what is to ring.
//!
//! ```text
//! worker ──► Stored ─┬─► Waiting … ─┬─► Ring ────► deliver ──► provider
//! gateway ─► Read ───┤              └─► Summary ─►
//!                    └─────────────────► Clear ──►
//! ```
//!
//! A job is acknowledged when all that follows from it is in the queue again, or done. So a death at any moment repeats a job; that
//! a phone shows nothing twice is up to [`super::board`] and to the ids of pushes.

mod knowledge;
mod plan;
mod read;
mod work;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::board::{Board, Rules};
use super::decide::Patience;
use super::deliver;
use super::payload::Style;
use super::providers::Providers;
use crate::auth::AckTokens;
use crate::fanout::Fanout;
use crate::queue::{PublishError, PushJob, PushLane, PushQueue, Queue};
use crate::store::{PushTrace, Store};
use crate::telemetry::Metrics;

pub(super) use knowledge::Knowledge;
pub(super) use plan::Plan;
pub(super) use work::trace;

/// What the stage works with.
pub struct Parts {
    pub jobs: Arc<dyn PushQueue>,
    /// Keeps what cannot be delivered.
    pub queue: Arc<dyn Queue>,
    pub store: Arc<dyn Store>,
    pub fanout: Arc<dyn Fanout>,
    pub board: Arc<dyn Board>,
    pub providers: Providers,
    /// `None`: pushes carry no token to acknowledge with.
    pub ack_tokens: Option<AckTokens>,
    pub settings: Settings,
    pub metrics: Arc<Metrics>,
}

/// The operator's part.
#[derive(Debug, Clone)]
pub struct Settings {
    pub patience: Patience,
    /// Acknowledgements take this long from a gateway to where the stage finds them.
    pub grace: Duration,
    pub rules: Rules,
    pub style: Style,
    pub max_invalid_ratio: f64,
    pub concurrency: usize,
    /// How long a provider may take for one request.
    pub request_timeout: Duration,
    pub retry_max: Duration,
}

/// Consumers of decisions in one process: while one waits for the store another one works.
const DECIDERS: usize = 2;
/// How often what changes by itself is looked at: credentials' ends, old traces.
const HOUSEKEEPING: Duration = Duration::from_secs(60);
/// How long it is kept what became of a push.
const TRACES_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// Traces that one statement deletes.
const TRACES_AT_ONCE: usize = 1000;

/// Runs until `stop`, then finishes what is at hand.
pub async fn run(parts: Parts, stop: CancellationToken) {
    let parts = Arc::new(parts);
    let mut tasks = JoinSet::new();
    for _ in 0..DECIDERS {
        tasks.spawn(work::run(Arc::clone(&parts), stop.clone()));
    }
    for lane in PushLane::PROVIDERS {
        if let Some(provider) = parts.providers.of_lane(lane) {
            let lane = deliver::Lane::new(lane, Arc::clone(provider), Arc::clone(&parts));
            tasks.spawn(lane.run(stop.clone()));
        }
    }
    tasks.spawn(keep_house(Arc::clone(&parts), stop));
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "push.task");
        }
    }
}

impl Parts {
    /// Puts jobs, as long as it takes; `false` when the stage stops before.
    pub(super) async fn put(&self, jobs: Vec<PushJob>, stop: &CancellationToken) -> bool {
        if jobs.is_empty() {
            return true;
        }
        let mut pause = Pause::default();
        loop {
            match self.jobs.put(jobs.clone()).await {
                Ok(()) => return true,
                Err(error @ PublishError::Nacked) => tracing::error!(%error, "push.put: the queue is full"),
                Err(error) => tracing::warn!(%error, "push.put"),
            }
            if !pause.wait(stop).await {
                return false;
            }
        }
    }

    /// Puts a payload with the dead letters, as long as it takes; `false` when the stage stops before.
    pub(super) async fn bury(
        &self,
        payload: bytes::Bytes,
        reason: &str,
        lane: PushLane,
        stop: &CancellationToken,
    ) -> bool {
        let mut pause = Pause::default();
        while let Err(error) = self.queue.bury(payload.clone(), reason, lane.queue()).await {
            tracing::warn!(%error, "push.bury");
            if !pause.wait(stop).await {
                return false;
            }
        }
        true
    }

    /// Notes what became of pushes. Nothing depends on it but what an operator sees.
    pub(super) async fn trace(&self, traces: &[PushTrace]) {
        if !traces.is_empty()
            && let Err(error) = self.store.trace_pushes(traces).await
        {
            tracing::warn!(%error, traces = traces.len(), "push.trace");
        }
    }
}

async fn keep_house(parts: Arc<Parts>, stop: CancellationToken) {
    loop {
        parts.providers.show_expiry(&parts.metrics);
        let before = crate::model::Timestamp::now().minus(TRACES_KEPT);
        loop {
            match parts.store.forget_pushes(before, TRACES_AT_ONCE).await {
                Ok(gone) if gone == TRACES_AT_ONCE && !stop.is_cancelled() => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(%error, "push.forget_traces");
                    break;
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(HOUSEKEEPING) => {}
        }
    }
}

/// Exponential backoff with jitter, between attempts of something that has to be done.
pub(super) struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(Duration::from_millis(50))
    }
}

impl Pause {
    /// `false` when it is time to stop.
    pub async fn wait(&mut self, stop: &CancellationToken) -> bool {
        let pause = self.0.mul_f64(rand::random_range(0.2..1.0));
        self.0 = (self.0 * 2).min(Duration::from_secs(2));
        tokio::select! {
            () = stop.cancelled() => false,
            () = tokio::time::sleep(pause) => true,
        }
    }
}
