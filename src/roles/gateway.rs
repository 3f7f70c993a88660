//! `tidings gateway`

use super::front::Front;
use super::process::Process;
use super::services::Services;
use crate::config::Loaded;
use crate::telemetry::Gate;
use crate::telemetry::metrics::Role;

/// Runs until it is told to stop.
pub fn gateway(loaded: Loaded) -> anyhow::Result<()> {
    loaded.config.services()?;
    Process::run(loaded, Role::Gateway, run)
}

async fn run(process: Process) -> anyhow::Result<()> {
    let listening = process.health.check("listening", Gate::Always);
    process.serve_ops().await?;
    let services = Services::connect(&process)?;
    if !services.wait_for_schema(&process.lifecycle.soft_stop()).await {
        return Ok(());
    }
    if process.config.push.enabled {
        services.declare_push().await;
    }
    let signing = process.config.auth.signing_secret.clone();
    let front = Front::start(&process, services.backends(), signing, None).await?;
    listening.up();
    tracing::info!("gateway.ready");
    process.lifecycle.soft_stop().cancelled().await;
    front.stop(&process).await;
    process.lifecycle.stop_hard();
    Ok(())
}
