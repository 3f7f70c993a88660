//! RabbitMQ, Postgres and Redis: connecting, waiting for them, watching them.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::front::Backends;
use super::process::Process;
use crate::config::Config;
use crate::fanout::Fanout;
use crate::fanout::redis::RedisFanout;
use crate::gateway::Pushing;
use crate::push::board::Board;
use crate::queue::rabbitmq::{self, RabbitQueue};
use crate::queue::{PushQueue, Queue};
use crate::store::Store;
use crate::store::postgres::{self, PoolObserver, PostgresStore};
use crate::telemetry::metrics::family::Label;
use crate::telemetry::metrics::{ConsumedQueue, Dependency, PoolState, QueueName, QueueState};
use crate::telemetry::{Check, Gate, Metrics};

/// The three services, as a role uses them.
pub struct Services {
    pub queue: Arc<RabbitQueue>,
    pub store: Arc<PostgresStore>,
    pub fanout: Arc<RedisFanout>,
}

/// How often each service is asked whether it is there, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(2);
const PING_TIMEOUT: Duration = Duration::from_secs(3);
/// How often queues are counted.
const COUNT_EVERY: Duration = Duration::from_secs(5);

impl Services {
    /// Begins to connect, and watches. None of them need be up.
    pub fn connect(process: &Process) -> anyhow::Result<Self> {
        let config = &process.config;
        config.services()?;
        let observer = Arc::new(Acquired(Arc::clone(&process.metrics)));
        let store =
            postgres::connect(&postgres_settings(config)?).context("postgres")?.with_observer(observer);
        let settings = rabbitmq::Settings::new(&config.rabbitmq, &config.queue).context("rabbitmq")?;
        let services = Self {
            queue: Arc::new(RabbitQueue::connect(settings, process.partitions())),
            store: Arc::new(store),
            fanout: Arc::new(RedisFanout::connect(&config.redis).context("redis")?),
        };
        services.watch(process);
        Ok(services)
    }

    /// Declares the push queues for a role that puts jobs there. What fails is declared with the next connection.
    pub async fn declare_push(&self) {
        if let Err(error) = self.queue.declare_push().await {
            tracing::debug!(%error, "rabbitmq.declare_push");
        }
    }

    pub fn backends(&self) -> Backends {
        Backends {
            queue: Arc::clone(&self.queue) as Arc<dyn Queue>,
            store: Arc::clone(&self.store) as Arc<dyn Store>,
            fanout: Arc::clone(&self.fanout) as Arc<dyn Fanout>,
            pushing: Pushing {
                jobs: Arc::clone(&self.queue) as Arc<dyn PushQueue>,
                board: Arc::clone(&self.fanout) as Arc<dyn Board>,
            },
        }
    }

    /// Waits until the database has the schema of this release; `false` when the process is told to stop.
    pub async fn wait_for_schema(&self, stop: &CancellationToken) -> bool {
        let mut said = String::new();
        loop {
            let message = match self.store.check_schema().await {
                Ok(version) => {
                    tracing::info!(version, "postgres.schema");
                    return true;
                }
                Err(error) => error.to_string(),
            };
            if message != said {
                tracing::warn!(reason = message, "waiting for postgres");
                said = message;
            }
            tokio::select! {
                () = stop.cancelled() => return false,
                () = tokio::time::sleep(Duration::from_millis(500)) => {}
            }
        }
    }

    fn watch(&self, process: &Process) {
        let stop = process.lifecycle.hard_stop();
        let check = |dependency| process.health.dependency(dependency, Gate::UntilFirstUp);
        let store = Arc::clone(&self.store);
        tokio::spawn(watch(check(Dependency::Postgres), stop.clone(), move || {
            let store = Arc::clone(&store);
            async move { store.ping().await.map_err(|error| error.to_string()) }
        }));
        let queue = Arc::clone(&self.queue);
        tokio::spawn(watch(check(Dependency::Rabbitmq), stop.clone(), move || {
            let queue = Arc::clone(&queue);
            async move { queue.check().await.map_err(|error| error.to_string()) }
        }));
        let fanout = Arc::clone(&self.fanout);
        tokio::spawn(watch(check(Dependency::Redis), stop.clone(), move || {
            let fanout = Arc::clone(&fanout);
            async move { fanout.ping().await.map_err(|error| error.to_string()) }
        }));
        let (store, metrics) = (Arc::clone(&self.store), Arc::clone(&process.metrics));
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(COUNT_EVERY) => show_pools(&store, &metrics),
                }
            }
        });
    }
}

/// Counts what waits in the queues until `stop`.
pub async fn count_queues(queue: Arc<dyn Queue>, metrics: Arc<Metrics>, stop: CancellationToken) {
    loop {
        if let Ok(Ok(depths)) = tokio::time::timeout(PING_TIMEOUT, queue.depths()).await {
            for depth in depths {
                if let (Some(queue), Some(oldest)) = (label::<ConsumedQueue>(&depth.queue), depth.oldest) {
                    metrics.queues.oldest_message_age_seconds.get(queue).set(oldest.as_secs_f64());
                }
                let Some(name) = label::<QueueName>(&depth.queue) else { continue };
                let gauge = |state| metrics.queues.queue_messages.get(name, state);
                gauge(QueueState::Ready).set(i64::try_from(depth.ready).unwrap_or(i64::MAX));
                gauge(QueueState::Unacknowledged)
                    .set(i64::try_from(depth.unacknowledged).unwrap_or(i64::MAX));
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(COUNT_EVERY) => {}
        }
    }
}

/// The label that a queue has in metrics.
fn label<L: Label>(queue: &str) -> Option<L> {
    L::ALL.iter().copied().find(|label| label.value() == queue)
}

async fn watch<F, Fut>(check: Check, stop: CancellationToken, ask: F)
where
    F: Fn() -> Fut + Send,
    Fut: Future<Output = Result<(), String>> + Send,
{
    loop {
        match tokio::time::timeout(PING_TIMEOUT, ask()).await {
            Ok(Ok(())) => check.up(),
            Ok(Err(reason)) => check.down(reason),
            Err(_) => check.down("no answer in time"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PING_EVERY) => {}
        }
    }
}

fn show_pools(store: &PostgresStore, metrics: &Metrics) {
    let states = store.pool_states();
    let idle: usize = states.iter().map(|pool| pool.idle).sum();
    let open: usize = states.iter().map(|pool| pool.size).sum();
    let gauge = |state| metrics.dependencies.db_pool_connections.get(state);
    gauge(PoolState::Idle).set(idle as i64);
    gauge(PoolState::Used).set(open.saturating_sub(idle) as i64);
}

struct Acquired(Arc<Metrics>);

impl PoolObserver for Acquired {
    fn acquired(&self, waited: Duration) {
        self.0.dependencies.db_pool_acquire_seconds.observe(waited.as_secs_f64());
    }
}

pub fn postgres_settings(config: &Config) -> anyhow::Result<postgres::Settings> {
    let postgres = &config.postgres;
    Ok(postgres::Settings {
        url: config.postgres_url()?.expose().to_owned(),
        ca_file: postgres.ca_file.clone(),
        pool_size: postgres.pool_size,
        worker_connections: postgres.worker_connections,
        acquire_timeout: postgres.acquire_timeout,
        connect_timeout: postgres.connect_timeout,
        statement_timeout: postgres.statement_timeout,
    })
}
