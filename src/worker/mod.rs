//! The worker: persists what the queue delivers, fans it out, hands it to the push stage, and acknowledges it last.
//!
//! One task for each partition that this worker owns, see [`partition`]; which those are, [`ownership`] decides.

mod fan_out;
mod notify;
mod outcome;
mod ownership;
mod partition;
mod persist;
mod retention;
mod waiting;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::fan_out::FanOut;
use self::notify::Notify;
use self::ownership::Ownership;
use crate::config;
use crate::fanout::Fanout;
use crate::queue::{Partition, Partitions, PushQueue, Queue, Waiting};
use crate::store::Store;
use crate::telemetry::Metrics;

/// What a worker works with. Cheap to clone.
#[derive(Clone)]
pub struct Worker {
    queue: Arc<dyn Queue>,
    store: Arc<dyn Store>,
    fanout: Arc<dyn Fanout>,
    partitions: Partitions,
    settings: Arc<config::Worker>,
    notify: Notify,
    /// Set when old messages are to be deleted.
    retention: Option<config::Retention>,
    metrics: Arc<Metrics>,
}

impl Worker {
    pub fn new(
        queue: Arc<dyn Queue>,
        store: Arc<dyn Store>,
        fanout: Arc<dyn Fanout>,
        partitions: Partitions,
        settings: config::Worker,
        metrics: Arc<Metrics>,
    ) -> Self {
        let notify = Notify::default();
        let settings = Arc::new(settings);
        Self { queue, store, fanout, partitions, settings, notify, retention: None, metrics }
    }

    /// Hands stored batches to the push stage, when that is switched on.
    #[must_use]
    pub fn with_push(mut self, jobs: Arc<dyn PushQueue>, push: &config::Push) -> Self {
        if push.enabled {
            self.notify = Notify::new(jobs, &self.store, &self.fanout, push.device_cache);
        }
        self
    }

    /// Deletes old messages too, when it is this worker's turn.
    pub fn with_retention(mut self, retention: config::Retention) -> Self {
        self.retention = Some(retention).filter(|retention| !retention.messages.is_zero());
        self
    }

    /// Works until `stop`, then finishes the batches at hand and gives the partitions back.
    pub async fn run(self, stop: CancellationToken) {
        let fan_out = FanOut::new(self.fanout.clone(), self.settings.fanout_timeout, stop.child_token());
        let waiting = Waiting::default();
        tokio::spawn(waiting::show(waiting.clone(), Arc::clone(&self.metrics), stop.child_token()));
        if self.notify.recover(&*self.queue, &self.metrics, &stop).await.is_err() {
            return;
        }
        let mut ownership = Ownership::new(self.fanout.clone(), self.partitions, &self.settings);
        let mut running: HashMap<Partition, Running> = HashMap::new();
        let mut retaining: Option<Running> = None;
        loop {
            let owned = ownership.decide().await;
            match (&self.retention, retaining.take()) {
                (Some(_), Some(task)) if ownership.leads() => retaining = Some(task),
                (Some(retention), None) if ownership.leads() => {
                    retaining = Some(self.retain(retention.clone(), &stop));
                }
                (_, Some(task)) => task.finish().await,
                (_, None) => {}
            }
            let lost: Vec<Partition> =
                running.keys().filter(|partition| !owned.contains(partition)).copied().collect();
            for partition in lost {
                if let Some(task) = running.remove(&partition) {
                    tracing::info!(%partition, "worker.release");
                    task.finish().await;
                }
            }
            for partition in owned {
                running.entry(partition).or_insert_with(|| {
                    tracing::info!(%partition, "worker.own");
                    self.start(partition, fan_out.clone(), waiting.clone(), &stop)
                });
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(self.settings.lease_interval) => {}
            }
        }
        for task in running.into_values().chain(retaining) {
            task.finish().await;
        }
        ownership.release().await;
    }

    fn retain(&self, retention: config::Retention, stop: &CancellationToken) -> Running {
        let stop = stop.child_token();
        let task = retention::run(self.store.clone(), retention, stop.clone());
        Running { stop, handle: tokio::spawn(task) }
    }

    fn start(
        &self,
        partition: Partition,
        fan_out: FanOut,
        waiting: Waiting<Partition>,
        stop: &CancellationToken,
    ) -> Running {
        let stop = stop.child_token();
        let task = partition::Task {
            partition,
            queue: self.queue.clone(),
            store: self.store.clone(),
            fan_out,
            notify: self.notify.clone(),
            waiting,
            batch_rows: self.settings.batch_rows,
            batch_bytes: self.settings.batch_bytes,
            metrics: Arc::clone(&self.metrics),
            stop: stop.clone(),
        };
        Running { stop, handle: tokio::spawn(task.run()) }
    }
}

/// The task of one partition, or that of retention.
struct Running {
    stop: CancellationToken,
    handle: JoinHandle<()>,
}

impl Running {
    /// Lets it finish its batch.
    async fn finish(self) {
        self.stop.cancel();
        if let Err(error) = self.handle.await {
            tracing::error!(%error, "worker.partition_task");
        }
    }
}

/// A worker's name in its lease.
fn new_worker_id() -> Uuid {
    Uuid::now_v7()
}
