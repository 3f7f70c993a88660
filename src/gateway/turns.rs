//! Synchronisations take turns, so that a storm of logins holds the pages of a few hundred clients in memory and not those of all.

use std::future::Future;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Who comes first is served first.
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

    /// Whoever stops waiting loses nobody's turn.
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

    use futures_util::poll;
    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_millis(100);

    #[tokio::test(start_paused = true)]
    async fn clients_take_turns_and_a_slow_one_loses_its_own() {
        let turns = Turns::new(1);
        let mut first = turns.wait().await;
        first.taken(ready(())).await;
        assert!(timeout(SOON, turns.wait()).await.is_err());
        // It takes nothing more; the next one comes all the same.
        let (slow, next) =
            tokio::join!(timeout(2 * PATIENCE, first.taken(pending())), timeout(2 * PATIENCE, turns.wait()),);
        assert!(slow.is_err() && next.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_is_served_makes_room_for_one_more_and_not_for_two() {
        let turns = Turns::new(2);
        let mut served = vec![turns.wait().await, turns.wait().await];
        for _ in 0..10 {
            served.pop();
            served.push(timeout(SOON, turns.wait()).await.expect("a turn was given back"));
            assert!(timeout(SOON, turns.wait()).await.is_err(), "there are two");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_that_goes_away_while_it_waits_takes_no_turn_with_it() {
        let turns = Turns::new(1);
        let first = turns.wait().await;
        let mut goes_early = Box::pin(turns.wait());
        assert!(poll!(&mut goes_early).is_pending());
        drop(goes_early);
        let mut goes_late = Box::pin(turns.wait());
        assert!(poll!(&mut goes_late).is_pending());
        // The turn is its own from here on, and it goes before it knows.
        drop(first);
        drop(goes_late);
        assert!(timeout(SOON, turns.wait()).await.is_ok(), "the turn is lost");
    }
}
