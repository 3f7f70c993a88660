//! Pauses between attempts to connect.

use std::time::Duration;

/// The first pause is at most this.
const FIRST: Duration = Duration::from_millis(100);

/// Exponential with full jitter: each pause is anywhere between nothing and a limit that doubles, so that the processes of an
/// installation do not come back to their broker all at once.
pub(super) struct Backoff {
    limit: Duration,
    max: Duration,
}

impl Backoff {
    pub fn new(max: Duration) -> Self {
        Self { limit: FIRST.min(max), max }
    }

    /// The next pause; `random` is from 0 to 1.
    pub fn next(&mut self, random: f64) -> Duration {
        let pause = self.limit.mul_f64(random);
        self.limit = (self.limit * 2).min(self.max);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_limit_and_are_spread_over_all_of_it() {
        let mut backoff = Backoff::new(Duration::from_secs(1));
        let longest: Vec<u128> = (0..6).map(|_| backoff.next(1.0).as_millis()).collect();
        assert_eq!(longest, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(backoff.next(0.0), Duration::ZERO);
        assert_eq!(backoff.next(0.5), Duration::from_millis(500));
    }
}
