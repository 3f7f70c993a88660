//! Rates of users, over all their sockets and requests here.

use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::sync::Cache;
use tokio::time::Instant;

use super::Gateway;
use super::limits::TokenBucket;
use super::session::Problem;
use crate::config;
use crate::model::UserId;

/// One user's rate of messages; their sockets share it.
#[derive(Clone)]
pub struct UserRate(Arc<Mutex<TokenBucket>>);

impl UserRate {
    /// Takes one message off it.
    pub fn take(&self, now: Instant) -> Result<(), Problem> {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.take(now).map_err(Problem::rate_limited)
    }
}

/// The rates of those who were here lately.
pub struct UserRates {
    known: Cache<UserId, UserRate>,
    per_second: u32,
    burst: u32,
}

impl UserRates {
    pub fn new(settings: &config::Gateway) -> Self {
        let per_second = settings.user_messages_per_second;
        // As many seconds' worth as a socket may send at once.
        let burst = u64::from(per_second) * u64::from(settings.message_burst)
            / u64::from(settings.messages_per_second.max(1));
        let burst = u32::try_from(burst).unwrap_or(u32::MAX);
        Self { known: Cache::new(settings.user_cache), per_second, burst }
    }

    pub fn of(&self, user: &UserId) -> UserRate {
        let full = || {
            let bucket = TokenBucket::new(self.per_second, self.burst, Instant::now());
            Ok::<_, std::convert::Infallible>(UserRate(Arc::new(Mutex::new(bucket))))
        };
        match self.known.get_or_insert_with(user, full) {
            Ok(rate) => rate,
            Err(never) => match never {},
        }
    }
}

impl Gateway {
    /// Takes one message off a user's rate, for a request of HTTP.
    pub fn charge(&self, user: &UserId) -> Result<(), Problem> {
        self.rates.of(user).take(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_user_s_sockets_share_one_rate_and_another_user_has_their_own() {
        let mut settings = config::Config::defaults().gateway;
        (settings.messages_per_second, settings.message_burst) = (1, 2);
        settings.user_messages_per_second = 3;
        let rates = UserRates::new(&settings);
        let user = |name| UserId::parse(name).unwrap();
        let (one, other) = (rates.of(&user("alice")), rates.of(&user("alice")));
        let now = Instant::now();
        for rate in [&one, &other, &one, &other, &one, &other] {
            assert!(rate.take(now).is_ok());
        }
        assert!(one.take(now).is_err() && other.take(now).is_err());
        assert!(rates.of(&user("bob")).take(now).is_ok());
        assert!(other.take(now + std::time::Duration::from_millis(334)).is_ok());
    }
}
