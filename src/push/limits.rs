//! How many pushes at a time and how fast, for one provider.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::provider::{Delivery, Notification, Provider};

/// The bounds of one provider in one process.
#[derive(Debug, Clone, Copy)]
pub struct LimitSettings {
    /// Requests in flight. More than a provider's streams only queue.
    pub concurrency: usize,
    /// Requests a second, on average; `None` for no limit. FCM allows 600,000 a minute and project.
    pub per_second: Option<NonZeroU32>,
    /// Requests that may go at once after a pause.
    pub burst: NonZeroU32,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self { concurrency: 1000, per_second: None, burst: NonZeroU32::new(100).expect("not zero") }
    }
}

/// Bounded concurrency and a token bucket.
pub struct Limits {
    permits: Semaphore,
    bucket: Option<Bucket>,
}

/// A token bucket kept as the moment at which it will be full again.
struct Bucket {
    interval: Duration,
    depth: Duration,
    full_at: Mutex<Instant>,
}

impl Limits {
    pub fn new(settings: LimitSettings) -> Self {
        let bucket = settings.per_second.map(|rate| {
            let interval = Duration::from_secs(1) / rate.get();
            let depth = interval * settings.burst.get();
            Bucket { interval, depth, full_at: Mutex::new(Instant::now()) }
        });
        Self { permits: Semaphore::new(settings.concurrency.max(1)), bucket }
    }

    /// Waits for a place and for the rate. Cancel-safe; a cancelled wait may cost the rate one turn.
    /// `None` only after the limits were closed, which nothing here does.
    pub async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        let permit = self.permits.acquire().await.ok()?;
        if let Some(bucket) = &self.bucket {
            tokio::time::sleep_until(bucket.take(Instant::now())).await;
        }
        Some(permit)
    }
}

impl Bucket {
    /// Takes one token and says from when on it may be used.
    fn take(&self, now: Instant) -> Instant {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        *full_at = (*full_at).max(now) + self.interval;
        full_at.checked_sub(self.depth).map_or(now, |at| at.max(now))
    }
}

/// A provider behind its limits: whoever has a turn may ask it.
pub struct Limited {
    inner: Box<dyn Provider>,
    limits: Limits,
}

/// A place among the requests in flight, at a moment that the rate allows; given back when dropped.
pub struct Turn<'a> {
    provider: &'a dyn Provider,
    _place: Option<SemaphorePermit<'a>>,
}

impl Limited {
    pub fn new(inner: impl Provider + 'static, settings: LimitSettings) -> Self {
        Self { inner: Box::new(inner), limits: Limits::new(settings) }
    }

    /// The label in metrics and traces.
    pub fn name(&self) -> &'static str {
        self.inner.name()
    }

    /// When the credential stops working, where it says so.
    pub fn credential_expiry(&self) -> Option<SystemTime> {
        self.inner.credential_expiry()
    }

    /// Waits as [`Limits::enter`] does, which may be long: what is to be sent is best looked at when this comes back.
    pub async fn turn(&self) -> Turn<'_> {
        // Nobody closes the limits: there is always a place in the end.
        Turn { provider: &*self.inner, _place: self.limits.enter().await }
    }
}

impl Turn<'_> {
    /// Hands one notification to the provider: see [`Provider::deliver`].
    pub async fn deliver(self, notification: &Notification) -> Delivery {
        self.provider.deliver(notification).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(concurrency: usize, per_second: u32, burst: u32) -> Limits {
        Limits::new(LimitSettings {
            concurrency,
            per_second: NonZeroU32::new(per_second),
            burst: NonZeroU32::new(burst).expect("not zero"),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let limits = limits(100, 10, 5);
        let start = Instant::now();
        for _ in 0..5 {
            drop(limits.enter().await.expect("open"));
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        for _ in 0..20 {
            drop(limits.enter().await.expect("open"));
        }
        let elapsed = start.elapsed();
        assert!(elapsed >= Duration::from_secs(2), "{elapsed:?}");
        assert!(elapsed < Duration::from_millis(2100), "{elapsed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_configured_number_are_inside() {
        let limits = Limits::new(LimitSettings { concurrency: 2, ..LimitSettings::default() });
        let first = limits.enter().await.expect("open");
        let _second = limits.enter().await.expect("open");
        let third = tokio::time::timeout(Duration::from_secs(60), limits.enter()).await;
        assert!(third.is_err(), "a third one got in");
        drop(first);
        drop(limits.enter().await.expect("open"));
    }
}
