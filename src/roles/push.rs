//! `tidings push`

use std::time::Duration;

use super::process::Process;
use super::services::Services;
use crate::config::Loaded;
use crate::telemetry::Gate;
use crate::telemetry::metrics::Role;

/// Runs until it is told to stop. Declares the push queues; nothing is published to them yet.
pub fn push(loaded: Loaded) -> anyhow::Result<()> {
    loaded.config.services()?;
    Process::run(loaded, Role::Push, run)
}

async fn run(process: Process) -> anyhow::Result<()> {
    process.serve_ops().await?;
    let queues = process.health.check("push_queues", Gate::Always);
    let services = Services::connect(&process)?;
    let stop = process.lifecycle.soft_stop();
    if !services.wait_for_schema(&stop).await {
        return Ok(());
    }
    while let Err(error) = services.queue.declare_push().await {
        queues.down(error.to_string());
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
        }
    }
    queues.up();
    tracing::info!("push.ready");
    stop.cancelled().await;
    process.lifecycle.stop_hard();
    Ok(())
}
