//! The worker: persists what the queue delivers, fans it out, hands it to the push stage, and acknowledges it last.
//!
//! One task for each partition that this worker owns, see [`partition`]; which those are, [`ownership`] decides.

mod fan_out;
mod notify;
mod outcome;
mod ownership;
mod partition;
mod persist;

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
use crate::queue::{Partition, Partitions, PushQueue, Queue};
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
        Self { queue, store, fanout, partitions, settings: Arc::new(settings), notify, metrics }
    }

    /// Hands stored batches to the push stage, when that is switched on.
    #[must_use]
    pub fn with_push(mut self, jobs: Arc<dyn PushQueue>, push: &config::Push) -> Self {
        if push.enabled {
            self.notify = Notify::new(jobs, &self.store, &self.fanout, push.device_cache);
        }
        self
    }

    /// Works until `stop`, then finishes the batches at hand and gives the partitions back.
    pub async fn run(self, stop: CancellationToken) {
        let fan_out = FanOut::new(self.fanout.clone(), self.settings.fanout_timeout, stop.child_token());
        let mut ownership = Ownership::new(self.fanout.clone(), self.partitions, &self.settings);
        let mut running: HashMap<Partition, Running> = HashMap::new();
        loop {
            let owned = ownership.decide().await;
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
                    self.start(partition, fan_out.clone(), &stop)
                });
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(self.settings.lease_interval) => {}
            }
        }
        for (_, task) in running {
            task.finish().await;
        }
        ownership.release().await;
    }

    fn start(&self, partition: Partition, fan_out: FanOut, stop: &CancellationToken) -> Running {
        let stop = stop.child_token();
        let task = partition::Task {
            partition,
            queue: self.queue.clone(),
            store: self.store.clone(),
            fan_out,
            notify: self.notify.clone(),
            batch_rows: self.settings.batch_rows,
            metrics: Arc::clone(&self.metrics),
            stop: stop.clone(),
        };
        Running { stop, handle: tokio::spawn(task.run()) }
    }
}

/// The task of one partition.
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
