//! How much consumers have in hand, and how long the oldest of it has waited.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::Timestamp;

/// What the consumers of this process have in hand, by a key of theirs. Clones share it.
#[derive(Debug, Clone)]
pub struct Waiting<K>(Arc<Mutex<Hands<K>>>);

#[derive(Debug)]
struct Hands<K> {
    /// Since when each has waited.
    held: HashMap<K, Timestamp>,
    /// The highest age at which one was done with since the last look.
    done_at_age: Duration,
}

impl<K> Default for Waiting<K> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Hands { held: HashMap::new(), done_at_age: Duration::ZERO })))
    }
}

impl<K: Eq + Hash> Waiting<K> {
    /// A consumer has this in hand, which has waited since then.
    pub fn took(&self, key: K, since: Timestamp) {
        self.hands().held.insert(key, since);
    }

    /// It is done with and acknowledged.
    pub fn done(&self, key: &K) {
        let mut hands = self.hands();
        if let Some(since) = hands.held.remove(key) {
            hands.done_at_age = hands.done_at_age.max(Timestamp::now().since(since));
        }
    }

    /// A consumer lost these: others will get them.
    pub fn left(&self, gone: impl Fn(&K) -> bool) {
        self.hands().held.retain(|key, _| !gone(key));
    }

    /// How many are in hand.
    pub fn held(&self) -> usize {
        self.hands().held.len()
    }

    /// The age of the oldest. What came and went since the last look counts once, so that a queue that is far behind does not look
    /// empty between two batches.
    pub fn oldest(&self) -> Duration {
        let now = Timestamp::now();
        let mut hands = self.hands();
        let done = std::mem::take(&mut hands.done_at_age);
        let held = hands.held.values().map(|since| now.since(*since)).max();
        done.max(held.unwrap_or_default())
    }

    /// A holder that panicked left whole values behind.
    fn hands(&self) -> MutexGuard<'_, Hands<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds_ago(seconds: i64) -> Timestamp {
        Timestamp::from_millis(Timestamp::now().as_millis() - seconds * 1000)
    }

    #[test]
    fn the_oldest_of_all_counts_while_it_is_in_hand() {
        let waiting = Waiting::default();
        assert_eq!(waiting.oldest(), Duration::ZERO);
        waiting.took("one", seconds_ago(5));
        waiting.took("two", seconds_ago(60));
        assert_eq!(waiting.oldest().as_secs(), 60);
        assert_eq!((waiting.oldest().as_secs(), waiting.held()), (60, 2));
        waiting.left(|key| *key == "two");
        assert_eq!((waiting.oldest().as_secs(), waiting.held()), (5, 1));
    }

    #[test]
    fn what_came_and_went_between_two_looks_is_seen_once() {
        let waiting = Waiting::default();
        waiting.took("one", seconds_ago(40));
        waiting.took("two", seconds_ago(20));
        waiting.done(&"one");
        waiting.done(&"two");
        assert_eq!((waiting.oldest().as_secs(), waiting.held()), (40, 0));
        assert_eq!(waiting.oldest(), Duration::ZERO);
    }
}
