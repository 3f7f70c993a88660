//! `tidings push`

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use super::process::Process;
use super::services::{Services, count_queues};
use crate::auth::{self, AckTokens};
use crate::config::{Config, Loaded, Secret};
use crate::push::board::Rules;
use crate::push::decide::Patience;
use crate::push::provider::SharedCredentials;
use crate::push::providers::{self, Providers};
use crate::push::stage::{self, Parts};
use crate::telemetry::Gate;
use crate::telemetry::metrics::Role;

/// Runs until it is told to stop.
pub fn push(loaded: Loaded) -> anyhow::Result<()> {
    loaded.config.services()?;
    Process::run(loaded, Role::Push, run)
}

async fn run(process: Process) -> anyhow::Result<()> {
    let services = Services::connect(&process)?;
    let shared = Arc::clone(&services.fanout) as Arc<dyn SharedCredentials>;
    let (providers, settings) = (Providers::new(&process.config, shared)?, settings(&process.config)?);
    let auth = &process.config.auth;
    let ack_tokens = ack_tokens(
        &process.config,
        auth::own_secret(auth.signing_secret.as_ref(), auth.hs256_secret.as_ref()),
    );
    if ack_tokens.is_none() {
        tracing::info!("push.no_ack_tokens: neither auth.signing_secret nor auth.hs256_secret is set");
    }
    process.serve_ops().await?;
    let queues = process.health.check("push_queues", Gate::Always);
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
    let backends = services.backends();
    tokio::spawn(count_queues(Arc::clone(&backends.queue), Arc::clone(&process.metrics), stop.clone()));
    let parts = Parts {
        jobs: backends.pushing.jobs,
        board: backends.pushing.board,
        queue: backends.queue,
        store: backends.store,
        fanout: backends.fanout,
        providers,
        ack_tokens,
        settings,
        metrics: Arc::clone(&process.metrics),
    };
    tracing::info!("push.ready");
    stage::run(parts, stop).await;
    process.lifecycle.stop_hard();
    Ok(())
}

/// The tokens that pushes carry, signed with the secret of the server's own; a push may be on its way as long as they are good.
pub fn ack_tokens(config: &Config, own: Option<Secret>) -> Option<AckTokens> {
    own.map(|own| AckTokens::new(&own, config.push.expiry))
}

/// The settings of the push stage.
pub fn settings(config: &Config) -> anyhow::Result<stage::Settings> {
    let push = &config.push;
    Ok(stage::Settings {
        patience: Patience {
            ack_deadline: push.ack_deadline,
            hold_until_unread: push.hold_until_unread,
            expiry: push.expiry,
        },
        // A gateway writes them so often; and a little for the way.
        grace: config.gateway.positions_flush + Duration::from_millis(50),
        rules: Rules { burst: push.burst as usize, interval: push.summary_interval },
        style: providers::style(push).context("push")?,
        max_invalid_ratio: push.max_invalid_ratio,
        concurrency: push.concurrency,
        request_timeout: push.request_timeout,
        retry_max: push.retry_max,
    })
}
