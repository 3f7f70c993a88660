//! `tidings migrate`

use std::time::Duration;

use anyhow::Context;
use tokio::time::Instant;

use super::services::postgres_settings;
use crate::config::Loaded;
use crate::store::postgres;
use crate::telemetry::log;

/// How long it waits for a database that is just starting.
const PATIENCE: Duration = Duration::from_secs(120);

/// Brings the database to this release's schema.
pub fn migrate(loaded: Loaded) -> anyhow::Result<()> {
    let settings = postgres_settings(&loaded.config)?;
    log::init(&loaded.config.log)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(async {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match postgres::migrate(&settings).await {
                Ok(migrated) => {
                    tracing::info!(
                        version = migrated.version,
                        applied = migrated.applied.len(),
                        "migrate.done"
                    );
                    return Ok(());
                }
                Err(error) if error.is_retryable() && Instant::now() < deadline => {
                    tracing::warn!(%error, "waiting for postgres");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Err(error) => return Err(error).context("cannot migrate"),
            }
        }
    })
}
