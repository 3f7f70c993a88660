//! Retention: old messages are deleted, in small batches, by one worker at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::config;
use crate::model::Timestamp;
use crate::store::Store;

/// Between two batches: others come first.
const BREATH: Duration = Duration::from_millis(50);

/// Looks for old messages every `retention.interval` until `stop`. Two that run at once do no harm, each deletes what it finds.
pub(super) async fn run(store: Arc<dyn Store>, settings: config::Retention, stop: CancellationToken) {
    loop {
        match delete_old(&*store, &settings, &stop).await {
            0 => {}
            gone => tracing::info!(entries = gone, "worker.retention"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(settings.interval) => {}
        }
    }
}

/// Deletes until nothing old is left, or the store is away; answers how many went.
async fn delete_old(store: &dyn Store, settings: &config::Retention, stop: &CancellationToken) -> usize {
    let age = i64::try_from(settings.messages.as_millis()).unwrap_or(i64::MAX);
    let before = Timestamp::from_millis(Timestamp::now().as_millis().saturating_sub(age));
    let mut gone = 0;
    while !stop.is_cancelled() {
        match store.expire(before, settings.batch as usize).await {
            Ok(0) => break,
            Ok(entries) => gone += entries,
            Err(error) => {
                tracing::warn!(%error, "worker.retention");
                break;
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(BREATH) => {}
        }
    }
    gone
}
