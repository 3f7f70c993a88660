//! `tidings dev`: everything in one process, on the embedded backends.

use std::sync::Arc;

use anyhow::Context;

use super::fake_push;
use super::front::{Backends, DevSide, Front};
use super::process::Process;
use super::services::count_queues;
use crate::config::{Loaded, data_dir};
use crate::fanout::Fanout;
use crate::fanout::embedded::EmbeddedFanout;
use crate::gateway::Pushing;
use crate::push::board::Board;
use crate::push::fake;
use crate::push::provider::SharedCredentials;
use crate::push::providers::Providers;
use crate::push::stage::{self, Parts};
use crate::queue::{self, PushQueue, Queue};
use crate::store::{self, Store};
use crate::telemetry::Gate;
use crate::telemetry::metrics::{Dependency, Role};
use crate::worker::Worker;

/// Runs until it is told to stop.
pub fn dev(loaded: Loaded) -> anyhow::Result<()> {
    Process::run(loaded, Role::Dev, run)
}

async fn run(mut process: Process) -> anyhow::Result<()> {
    let fakes = fake_push::beside_dev(&mut process.config).await?;
    let config = &process.config;
    let folder = &config.embedded.data_dir;
    let signing = match &config.auth.signing_secret {
        Some(secret) => secret.clone(),
        None => data_dir::ensure_signing_secret(folder)
            .with_context(|| format!("cannot keep a signing secret in {}", folder.display()))?,
    };
    let database = process.health.dependency(Dependency::Sqlite, Gate::Always);
    let listening = process.health.check("listening", Gate::Always);
    process.serve_ops().await?;

    let partitions = process.partitions();
    let store = store::sqlite::open(folder, config.embedded.readers)?;
    let store: Arc<dyn Store> = Arc::new(if config.push.enabled { store.with_outbox() } else { store });
    let embedded = Arc::new(queue::embedded::open(folder, partitions, config.embedded.queue_messages)?);
    let queue: Arc<dyn Queue> = Arc::clone(&embedded) as Arc<dyn Queue>;
    let fanout: Arc<dyn Fanout> = Arc::new(EmbeddedFanout::new());
    database.up();

    let worker = Worker::new(
        Arc::clone(&queue),
        Arc::clone(&store),
        Arc::clone(&fanout),
        partitions,
        config.worker.clone(),
        Arc::clone(&process.metrics),
    )
    .with_push(Arc::clone(&embedded) as Arc<dyn PushQueue>, &config.push)
    .with_retention(config.retention.clone());
    let front = Pushing {
        jobs: Arc::clone(&embedded) as Arc<dyn PushQueue>,
        board: Arc::clone(&embedded) as Arc<dyn Board>,
    };
    let pushing = Parts {
        jobs: Arc::clone(&embedded) as Arc<dyn PushQueue>,
        queue: Arc::clone(&queue),
        store: Arc::clone(&store),
        fanout: Arc::clone(&fanout),
        providers: Providers::new(config, Arc::clone(&embedded) as Arc<dyn SharedCredentials>)?,
        board: embedded,
        ack_tokens: super::push::ack_tokens(config, Some(signing.clone())),
        settings: super::push::settings(config)?,
        metrics: Arc::clone(&process.metrics),
    };
    tokio::spawn(count_queues(
        Arc::clone(&queue),
        Arc::clone(&process.metrics),
        process.lifecycle.soft_stop(),
    ));
    let working = tokio_util::sync::CancellationToken::new();
    let worker = tokio::spawn(worker.run(working.clone()));
    let pushing = tokio::spawn(stage::run(pushing, working.clone()));

    let dev = Some(DevSide { fakes: fakes.as_ref().map(fake::Handle::lookout) });
    let backends = Backends { queue, store, fanout, pushing: front };
    let front = Front::start(&process, backends, Some(signing), dev).await?;
    listening.up();
    front.ready().await;
    tracing::info!(data_dir = %folder.display(), "dev.ready");

    process.lifecycle.soft_stop().cancelled().await;
    front.stop(&process).await;
    working.cancel();
    if let Err(error) = worker.await {
        tracing::error!(%error, "dev.worker");
    }
    if let Err(error) = pushing.await {
        tracing::error!(%error, "dev.push");
    }
    if let Some(fakes) = fakes {
        fakes.stop().await;
    }
    process.lifecycle.stop_hard();
    Ok(())
}
