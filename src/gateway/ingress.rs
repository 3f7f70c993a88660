//! The ingress: accepted entries become batches, one in flight for each partition.
//!
//! A batcher publishes at once when nothing of its partition is in flight and otherwise collects until the confirm comes back.
//! So one message on a quiet system waits for nobody, and a busy system makes large batches by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::config;
use crate::model::{ClientId, ConversationId, NewEntry, Timestamp};
use crate::queue::{Batch, Partition, Partitions, PublishError, Queue};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::PublishResult;

/// Whoever waits for an entry to be durable.
pub trait Waiting: Send + 'static {
    /// Called once, from the batcher's task: must not block.
    fn settle(self: Box<Self>, entry: Named, result: Result<Pace, Refused>);
}

/// How busy the partition of an accepted entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    Quiet,
    Busy,
}

/// Which entry was settled.
#[derive(Debug, Clone, Copy)]
pub struct Named {
    pub conversation_id: ConversationId,
    pub client_id: ClientId,
}

/// The entry was not accepted, or nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    pub retry_after: Duration,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Ingress {
    partitions: Partitions,
    lanes: Arc<[Lane]>,
    settings: Arc<config::Ingress>,
}

struct Lane {
    entries: mpsc::Sender<Pending>,
    load: Arc<Load>,
}

/// What waits for a partition, as those who submit see it.
#[derive(Default)]
struct Load {
    bytes: AtomicUsize,
    /// Since when a publish is in flight, in milliseconds since 1970; 0 when none is.
    in_flight_since: AtomicI64,
}

struct Pending {
    entry: NewEntry,
    bytes: usize,
    since: Instant,
    waiting: Box<dyn Waiting>,
}

impl Ingress {
    /// Starts a batcher for each partition. They end when the last clone is dropped and everything is settled.
    pub fn start(
        queue: &Arc<dyn Queue>,
        partitions: Partitions,
        settings: config::Ingress,
        metrics: &Arc<Metrics>,
    ) -> Self {
        let settings = Arc::new(settings);
        let lanes = partitions
            .all()
            .map(|partition| {
                let (entries, inbox) = mpsc::channel(settings.queue_messages);
                let load = Arc::new(Load::default());
                let batcher = Batcher {
                    queue: Arc::clone(queue),
                    partition,
                    settings: Arc::clone(&settings),
                    metrics: Arc::clone(metrics),
                    load: Arc::clone(&load),
                    rate: Rate::new(),
                };
                tokio::spawn(batcher.run(inbox));
                Lane { entries, load }
            })
            .collect();
        Self { partitions, lanes, settings }
    }

    /// Hands an entry over; `waiting` hears what became of it, also when it is refused at once.
    pub fn submit(&self, entry: NewEntry, waiting: Box<dyn Waiting>) {
        let lane = &self.lanes[self.partitions.of(entry.conversation_id).index()];
        let bytes = entry.bytes();
        let named = Named { conversation_id: entry.conversation_id, client_id: entry.client_id };
        let waits = lane.load.bytes.fetch_add(bytes, Ordering::Relaxed);
        if waits > self.settings.queue_bytes || self.is_stalled(&lane.load) {
            lane.load.bytes.fetch_sub(bytes, Ordering::Relaxed);
            waiting.settle(named, Err(self.busy()));
            return;
        }
        let pending = Pending { entry, bytes, since: Instant::now(), waiting };
        if let Err(error) = lane.entries.try_send(pending) {
            lane.load.bytes.fetch_sub(bytes, Ordering::Relaxed);
            error.into_inner().waiting.settle(named, Err(self.busy()));
        }
    }

    /// The broker has owed a confirm for so long that a new entry would wait too long.
    fn is_stalled(&self, load: &Load) -> bool {
        let since = load.in_flight_since.load(Ordering::Relaxed);
        since > 0 && Timestamp::now().since(Timestamp::from_millis(since)) > self.settings.max_wait
    }

    fn busy(&self) -> Refused {
        Refused { retry_after: self.settings.max_wait }
    }
}

struct Batcher {
    queue: Arc<dyn Queue>,
    partition: Partition,
    settings: Arc<config::Ingress>,
    metrics: Arc<Metrics>,
    load: Arc<Load>,
    rate: Rate,
}

impl Batcher {
    async fn run(mut self, mut inbox: mpsc::Receiver<Pending>) {
        let mut pending: Vec<Pending> = Vec::new();
        loop {
            let room = self.settings.batch_messages;
            if pending.is_empty() && inbox.recv_many(&mut pending, room).await == 0 {
                return;
            }
            if pending.len() < room
                && let Some(linger) = self.linger()
            {
                tokio::time::sleep(linger).await;
            }
            while pending.len() < room {
                let Ok(next) = inbox.try_recv() else { break };
                pending.push(next);
            }
            let rest = pending.split_off(self.fitting(&pending));
            let batch = std::mem::replace(&mut pending, rest);
            self.rate.count(batch.len());
            self.publish(batch).await;
        }
    }

    /// How long to wait for company: a busy system pays less for each message so, a quiet one waits for nobody.
    fn linger(&self) -> Option<Duration> {
        let busy = self.rate.per_second() / f64::from(self.settings.linger_above_per_second.max(1));
        match busy {
            ..1.0 => None,
            ..5.0 => Some(self.settings.linger),
            _ => Some(self.settings.linger.mul_f64(2.5)),
        }
    }

    /// How many of these fit into one batch; at least one.
    fn fitting(&self, pending: &[Pending]) -> usize {
        let mut bytes = 0;
        let fits = pending.iter().take_while(|next| {
            bytes += next.bytes;
            bytes <= self.settings.batch_bytes
        });
        fits.count().max(1)
    }

    async fn publish(&self, pending: Vec<Pending>) {
        let freed: usize = pending.iter().map(|next| next.bytes).sum();
        self.load.bytes.fetch_sub(freed, Ordering::Relaxed);
        let now = Instant::now();
        let (mut entries, mut waiting) =
            (Vec::with_capacity(pending.len()), Vec::with_capacity(pending.len()));
        for next in pending {
            let named =
                Named { conversation_id: next.entry.conversation_id, client_id: next.entry.client_id };
            if now.duration_since(next.since) > self.settings.max_wait {
                // Admission control: who waited this long would wait longer still.
                next.waiting.settle(named, Err(Refused { retry_after: self.settings.max_wait }));
                continue;
            }
            entries.push(next.entry);
            waiting.push((named, next.waiting));
        }
        if entries.is_empty() {
            return;
        }
        self.metrics.ingress.publish_batch_messages.observe(entries.len() as f64);
        let published = self.queue.publish(self.partition, Batch::new(entries));
        let deadline = self.settings.confirm_timeout;
        self.load.in_flight_since.store(Timestamp::now().as_millis(), Ordering::Relaxed);
        let result = match tokio::time::timeout(deadline, published).await {
            Ok(result) => result,
            Err(_) => Err(PublishError::TimedOut(deadline)),
        };
        self.load.in_flight_since.store(0, Ordering::Relaxed);
        self.metrics.ingress.publish_confirm_seconds.observe(now.elapsed().as_secs_f64());
        self.metrics.ingress.publishes_total.get(label(&result)).inc();
        if let Err(error) = &result {
            tracing::warn!(%error, partition = %self.partition, "gateway.publish");
        }
        let pace = if self.linger().is_some() { Pace::Busy } else { Pace::Quiet };
        let result = match result {
            Ok(()) => Ok(pace),
            Err(_) => Err(Refused { retry_after: self.settings.max_wait }),
        };
        for (named, waiting) in waiting {
            waiting.settle(named, result);
        }
    }
}

const fn label(result: &Result<(), PublishError>) -> PublishResult {
    match result {
        Ok(()) => PublishResult::Confirmed,
        Err(PublishError::Returned { .. }) => PublishResult::Returned,
        Err(PublishError::Nacked | PublishError::Unavailable { .. }) => PublishResult::Nacked,
        Err(PublishError::TimedOut(_)) => PublishResult::Timeout,
    }
}

/// Entries a second, over about the last half second.
struct Rate {
    since: Instant,
    counted: usize,
    last: f64,
}

const WINDOW: Duration = Duration::from_millis(250);

impl Rate {
    fn new() -> Self {
        Self { since: Instant::now(), counted: 0, last: 0.0 }
    }

    fn count(&mut self, entries: usize) {
        self.counted += entries;
        let passed = self.since.elapsed();
        if passed >= WINDOW {
            self.last = self.counted as f64 / passed.as_secs_f64();
            self.counted = 0;
            self.since = Instant::now();
        }
    }

    fn per_second(&self) -> f64 {
        // A pause longer than the window is a quiet system.
        if self.since.elapsed() > WINDOW * 2 { 0.0 } else { self.last }
    }
}
