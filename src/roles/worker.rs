//! `tidings worker`

use std::sync::Arc;

use super::front::Backends;
use super::process::Process;
use super::services::{Services, count_queues};
use crate::config::Loaded;
use crate::telemetry::metrics::Role;
use crate::worker::Worker;

/// Runs until it is told to stop.
pub fn worker(loaded: Loaded) -> anyhow::Result<()> {
    loaded.config.services()?;
    Process::run(loaded, Role::Worker, run)
}

async fn run(process: Process) -> anyhow::Result<()> {
    process.serve_ops().await?;
    let services = Services::connect(&process)?;
    let stop = process.lifecycle.soft_stop();
    if !services.wait_for_schema(&stop).await {
        return Ok(());
    }
    let Backends { queue, store, fanout, pushing } = services.backends();
    tokio::spawn(count_queues(Arc::clone(&queue), Arc::clone(&process.metrics), stop.clone()));
    if process.config.push.enabled {
        services.declare_push().await;
    }
    let worker = Worker::new(
        queue,
        store,
        fanout,
        process.partitions(),
        process.config.worker.clone(),
        Arc::clone(&process.metrics),
    )
    .with_push(pushing.jobs, &process.config.push)
    .with_retention(process.config.retention.clone());
    tracing::info!("worker.ready");
    worker.run(stop).await;
    process.lifecycle.stop_hard();
    Ok(())
}
