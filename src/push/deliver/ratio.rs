//! The alarm of dead tokens: when a provider calls most of them dead, it is we who are wrong.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The share is that of the last one to two of these.
const PERIOD: Duration = Duration::from_secs(60);
/// Fewer answers than this say nothing.
const ENOUGH: u32 = 20;

pub(super) struct InvalidRatio {
    most: f64,
    counts: Mutex<Counts>,
}

struct Counts {
    since: Instant,
    now: Count,
    before: Count,
    alarmed: bool,
}

#[derive(Default, Clone, Copy)]
struct Count {
    answers: u32,
    invalid: u32,
}

impl InvalidRatio {
    pub fn new(most: f64) -> Self {
        let counts =
            Counts { since: Instant::now(), now: Count::default(), before: Count::default(), alarmed: false };
        Self { most, counts: Mutex::new(counts) }
    }

    /// Counts an answer; whether answers that say "dead" are not to be believed now.
    pub fn count(&self, invalid: bool) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = counts.since.elapsed();
        if passed >= PERIOD {
            counts.before = if passed < 2 * PERIOD { counts.now } else { Count::default() };
            counts.now = Count::default();
            counts.since = Instant::now();
        }
        counts.now.answers += 1;
        counts.now.invalid += u32::from(invalid);
        let answers = counts.now.answers + counts.before.answers;
        let share = f64::from(counts.now.invalid + counts.before.invalid) / f64::from(answers);
        let alarming = answers >= ENOUGH && share > self.most;
        if alarming && !counts.alarmed {
            tracing::error!(
                share,
                answers,
                "push.invalid_ratio: devices are quarantined instead of disabled"
            );
        }
        counts.alarmed = alarming;
        alarming
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_dead_tokens_are_an_alarm_until_most_answers_are_good_again() {
        let ratio = InvalidRatio::new(0.5);
        assert!((0..19).all(|_| !ratio.count(true)), "too few say nothing");
        assert!(ratio.count(true));
        assert!((0..19).all(|_| ratio.count(false)));
        assert!(!ratio.count(false), "half are good");
        tokio::time::advance(Duration::from_secs(130)).await;
        assert!(!ratio.count(true), "what was is forgotten");
    }
}
