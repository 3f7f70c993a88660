//! Rates.

use std::time::Duration;

use tokio::time::Instant;

use crate::config;
use crate::protocol::CloseCode;

/// A token bucket: so many a second, and so many at once after a pause.
#[derive(Debug, Clone)]
pub struct TokenBucket {
    /// What is left, in takes.
    level: f64,
    burst: f64,
    per_second: f64,
    at: Instant,
}

impl TokenBucket {
    /// A full one. `per_second` 0 means no limit.
    pub fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        let burst = f64::from(burst.max(1));
        Self { level: burst, burst, per_second: f64::from(per_second), at: now }
    }

    /// Takes one, or says when there will be one.
    pub fn take(&mut self, now: Instant) -> Result<(), Duration> {
        if self.per_second == 0.0 {
            return Ok(());
        }
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.level = (self.level + passed * self.per_second).min(self.burst);
        self.at = now;
        if self.level >= 1.0 {
            self.level -= 1.0;
            Ok(())
        } else {
            Err(Duration::from_secs_f64((1.0 - self.level) / self.per_second))
        }
    }
}

/// Seconds' worth of frames that may come at once.
const FRAMES_AT_ONCE: u32 = 10;

impl config::Gateway {
    /// A socket's rate of frames of any kind. A client that only sends too many messages meets that limit before this one.
    pub(super) fn frames(&self, now: Instant) -> TokenBucket {
        let per_second = self.frames_per_second.max(self.messages_per_second.saturating_mul(4));
        let burst = per_second.saturating_mul(FRAMES_AT_ONCE).max(self.message_burst.saturating_mul(2));
        TokenBucket::new(per_second, burst, now)
    }
}

/// Frames that could not be taken, in the current minute.
pub(super) struct BadFrames {
    since: Instant,
    count: u32,
}

impl BadFrames {
    pub(super) fn none(now: Instant) -> Self {
        Self { since: now, count: 0 }
    }

    /// Counts one; the code to close with when it is one too many.
    pub(super) fn count(&mut self, now: Instant, limit: u32) -> Result<(), CloseCode> {
        if now.duration_since(self.since) >= Duration::from_secs(60) {
            *self = Self { since: now, count: 0 };
        }
        self.count += 1;
        if self.count >= limit { Err(CloseCode::TooManyBadFrames) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_the_rate() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(10, 3, start);
        assert_eq!((0..4).filter(|_| bucket.take(start).is_ok()).count(), 3);
        assert_eq!(bucket.take(start), Err(Duration::from_millis(100)));
        assert!(bucket.take(start + Duration::from_millis(100)).is_ok());
        assert!(bucket.take(start + Duration::from_millis(150)).is_err());
    }

    #[test]
    fn a_rate_of_zero_is_no_limit() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(0, 1, start);
        assert!((0..1000).all(|_| bucket.take(start).is_ok()));
    }
}
