//! Synchronisations take turns, so that a storm of logins holds the pages of a few hundred clients in memory and not those of all.

use std::future::Future;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Clients that are served at once.
pub struct Turns(Semaphore);

/// Dropped, the next client's turn begins.
pub struct Turn<'a>(Option<SemaphorePermit<'a>>);

/// Clients that are served at once by a gateway: enough for large look-ups.
pub const AT_ONCE: usize = 512;
/// A client that takes nothing for so long is waited for, but nobody else waits for it.
const PATIENCE: Duration = Duration::from_millis(500);

impl Turns {
    pub const fn new(at_once: usize) -> Self {
        Self(Semaphore::const_new(at_once))
    }

    pub async fn wait(&self) -> Turn<'_> {
        // Never closed: an error would only mean that nobody takes turns any more.
        Turn(self.0.acquire().await.ok())
    }
}

impl Turn<'_> {
    /// Waits until the client took what it was sent; a slow one gives its turn up meanwhile.
    pub async fn taken(&mut self, taken: impl Future<Output = ()>) {
        tokio::pin!(taken);
        if self.0.is_some() && tokio::time::timeout(PATIENCE, &mut taken).await.is_ok() {
            return;
        }
        self.0 = None;
        taken.await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn clients_take_turns_and_a_slow_one_loses_its_own() {
        let turns = Turns::new(1);
        let mut first = turns.wait().await;
        first.taken(ready(())).await;
        let soon = Duration::from_millis(100);
        assert!(tokio::time::timeout(soon, turns.wait()).await.is_err());
        // It takes nothing more; the next one comes all the same.
        let (slow, next) = tokio::join!(
            tokio::time::timeout(2 * PATIENCE, first.taken(pending())),
            tokio::time::timeout(2 * PATIENCE, turns.wait()),
        );
        assert!(slow.is_err() && next.is_ok());
    }
}
