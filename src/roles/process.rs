//! What every role needs: logs, metrics, health, the operators' port, signals.

use std::future::Future;
use std::num::NonZeroU16;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;

use crate::config::{Config, Loaded};
use crate::lifecycle::{FileLimit, Lifecycle};
use crate::queue::Partitions;
use crate::telemetry::metrics::Role;
use crate::telemetry::{Health, Metrics, log, ops};

/// A process that runs a role.
pub struct Process {
    pub config: Config,
    pub metrics: Arc<Metrics>,
    pub health: Health,
    pub lifecycle: Lifecycle,
    pub files: FileLimit,
}

impl Process {
    /// Runs `role` until it is done, on a runtime of its own.
    pub fn run<F, Fut>(loaded: Loaded, role: Role, run: F) -> anyhow::Result<()>
    where
        F: FnOnce(Self) -> Fut,
        Fut: Future<Output = anyhow::Result<()>>,
    {
        log::init(&loaded.config.log)?;
        for warning in &loaded.warnings {
            tracing::warn!(%warning, "config");
        }
        let files = FileLimit::raise().context("cannot raise the limit of open files")?;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
        let metrics = Arc::new(Metrics::new(role));
        let process = Self {
            health: Health::new(Arc::clone(&metrics)),
            metrics,
            lifecycle: Lifecycle::new(),
            files,
            config: loaded.config,
        };
        runtime.block_on(async {
            process.lifecycle.stop_on_signals().context("cannot listen for signals")?;
            run(process).await
        })
    }

    /// Opens the operators' port, which answers until the hard stop.
    pub async fn serve_ops(&self) -> anyhow::Result<()> {
        let address = self.config.server.ops_listen;
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address} (server.ops_listen)"))?;
        tracing::info!(address = %listener.local_addr()?, "ops.listen");
        let (metrics, health) = (Arc::clone(&self.metrics), self.health.clone());
        let stop = self.lifecycle.hard_stop();
        tokio::spawn(async move {
            if let Err(error) = ops::serve(listener, metrics, health, stop).await {
                tracing::error!(%error, "ops.serve");
            }
        });
        Ok(())
    }

    pub fn partitions(&self) -> Partitions {
        // Validated to be at least 1.
        Partitions::new(NonZeroU16::new(self.config.queue.partitions).unwrap_or(NonZeroU16::MIN))
    }
}
