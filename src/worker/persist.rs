//! Persisting a batch: again and again while the store is away, by halves when it refuses what is in it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::model::NewEntry;
use crate::queue::{Batch, Partition, Queue};
use crate::store::{Appended, Store, StoreError};

/// What became of an entry.
#[derive(Debug)]
pub(super) enum Persisted {
    Appended(Appended),
    /// The store can never take it; it is with the dead letters.
    Dead,
}

/// The worker stops: what is at hand is not acknowledged, so the next consumer gets it.
#[derive(Debug)]
pub(super) struct Stopped;

pub(super) struct Persist<'a> {
    pub store: &'a dyn Store,
    pub queue: &'a dyn Queue,
    pub partition: Partition,
    pub stop: &'a CancellationToken,
}

const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Clients are to be whole within seconds after the store is back, so no pause is longer than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl Persist<'_> {
    /// What became of each of `entries`, in their order.
    pub async fn persist(&self, entries: &[NewEntry]) -> Result<Vec<Persisted>, Stopped> {
        let mut results = Vec::with_capacity(entries.len());
        // Pieces still to be done, the first of them last.
        let mut pieces = vec![entries];
        while let Some(piece) = pieces.pop() {
            match self.append(piece).await? {
                Ok(appended) => results.extend(appended.into_iter().map(Persisted::Appended)),
                Err(error) if piece.len() > 1 => {
                    tracing::warn!(%error, entries = piece.len(), "worker.split_batch");
                    let (first, second) = piece.split_at(piece.len() / 2);
                    pieces.push(second);
                    pieces.push(first);
                }
                Err(error) => {
                    self.bury(piece, &error).await?;
                    results.push(Persisted::Dead);
                }
            }
        }
        Ok(results)
    }

    /// Appends, waiting for the store as long as it takes; an error is a refusal.
    async fn append(&self, piece: &[NewEntry]) -> Result<Result<Vec<Appended>, StoreError>, Stopped> {
        let mut pause = Pause::new();
        loop {
            match self.store.append(piece).await {
                Ok(appended) => return Ok(Ok(appended)),
                Err(error) if error.is_retryable() => {
                    tracing::warn!(%error, partition = %self.partition, "worker.persist");
                    pause.wait(self.stop).await?;
                }
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    async fn bury(&self, piece: &[NewEntry], error: &StoreError) -> Result<(), Stopped> {
        tracing::error!(%error, partition = %self.partition, "worker.dead_letter");
        let payload = Batch::new(piece.to_vec()).encode();
        bury(self.queue, payload, &error.to_string(), &self.partition.to_string(), self.stop).await
    }
}

/// Puts a payload with the dead letters, as long as it takes.
pub(super) async fn bury(
    queue: &dyn Queue,
    payload: bytes::Bytes,
    reason: &str,
    source: &str,
    stop: &CancellationToken,
) -> Result<(), Stopped> {
    let mut pause = Pause::new();
    while let Err(error) = queue.bury(payload.clone(), reason, source).await {
        tracing::warn!(%error, "worker.bury");
        pause.wait(stop).await?;
    }
    Ok(())
}

/// Exponential backoff with full jitter.
pub(super) struct Pause(Duration);

impl Pause {
    pub fn new() -> Self {
        Self(FIRST_PAUSE)
    }

    pub async fn wait(&mut self, stop: &CancellationToken) -> Result<(), Stopped> {
        let pause = self.0.mul_f64(rand::random_range(0.2..1.0));
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
        tokio::select! {
            () = stop.cancelled() => Err(Stopped),
            () = tokio::time::sleep(pause) => Ok(()),
        }
    }
}
