//! How often somebody may try a password: token buckets per user and per address.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Attempts that did not succeed; one that did is given back by [`AttemptLimiter::succeeded`].
#[derive(Debug, Clone)]
pub struct AttemptLimits {
    /// Wrong passwords in a row for one user, and how long until one more is allowed.
    pub user_burst: u32,
    pub user_every: Duration,
    /// The same for one address (IPv6: one /64). Larger, since an office or a mobile network
    /// shares one.
    pub address_burst: u32,
    pub address_every: Duration,
    /// Users and addresses remembered, of each this many: some 100 bytes each.
    pub remembered: usize,
}

impl Default for AttemptLimits {
    fn default() -> Self {
        Self {
            user_burst: 10,
            user_every: Duration::from_secs(30),
            address_burst: 100,
            address_every: Duration::from_secs(1),
            remembered: 16_384,
        }
    }
}

/// Too many attempts; the next is allowed after this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts, the next is allowed in {} ms", .retry_after.as_millis())]
pub struct TooManyAttempts {
    pub retry_after: Duration,
}

/// Limits attempts by user and by address. Its memory is bounded and it never waits.
pub struct AttemptLimiter {
    buckets: Mutex<(Buckets<String>, Buckets<IpAddr>)>,
}

impl AttemptLimiter {
    pub fn new(limits: &AttemptLimits) -> Self {
        let users = Buckets::new(limits.user_burst, limits.user_every, limits.remembered);
        let addresses = Buckets::new(limits.address_burst, limits.address_every, limits.remembered);
        Self { buckets: Mutex::new((users, addresses)) }
    }

    /// Takes one attempt of `user` from `address` before the password is looked at.
    ///
    /// # Errors
    /// When either has none left; then neither is charged.
    pub fn attempt(&self, user: &str, address: IpAddr, now: Instant) -> Result<(), TooManyAttempts> {
        let mut buckets = self.lock();
        let (users, addresses) = &mut *buckets;
        let address = network_of(address);
        // The address first: one that has no attempts left must not fill the table of users.
        addresses.ready(&address, now)?;
        users.ready(user, now)?;
        addresses.take(address, now);
        users.take(user.to_owned(), now);
        Ok(())
    }

    /// Gives the attempt back: the password was right.
    pub fn succeeded(&self, user: &str, address: IpAddr) {
        let mut buckets = self.lock();
        buckets.0.give_back(user);
        buckets.1.give_back(&network_of(address));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Buckets<String>, Buckets<IpAddr>)> {
        // A panic while counting leaves counts that are at worst one off.
        self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A customer gets a /64 of IPv6 at least, so single addresses would limit nobody.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let s = v6.segments();
            IpAddr::V6(Ipv6Addr::new(s[0], s[1], s[2], s[3], 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

/// A bucket is the moment at which it is full again: time alone refills it, and a bucket whose
/// moment has passed is the same as none.
struct Buckets<K> {
    full_at: HashMap<K, Instant>,
    every: Duration,
    /// How far ahead `full_at` may lie: `burst - 1` intervals before an attempt, one more after.
    room: Duration,
    capacity: usize,
    next_sweep: Option<Instant>,
}

/// A sweep looks at every bucket, so a flood of new names must not cause one each.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn new(burst: u32, every: Duration, capacity: usize) -> Self {
        Self {
            full_at: HashMap::new(),
            every,
            room: every.saturating_mul(burst.max(1) - 1),
            capacity: capacity.max(1),
            next_sweep: None,
        }
    }

    fn ready<Q>(&self, key: &Q, now: Instant) -> Result<(), TooManyAttempts>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let missing = self.full_at.get(key).map_or(Duration::ZERO, |at| at.duration_since(now));
        match missing.checked_sub(self.room) {
            Some(retry_after) if !retry_after.is_zero() => Err(TooManyAttempts { retry_after }),
            _ => Ok(()),
        }
    }

    fn take(&mut self, key: K, now: Instant) {
        if !self.full_at.contains_key(&key) && self.full_at.len() >= self.capacity {
            self.make_room(now);
        }
        let full_at = self.full_at.entry(key).or_insert(now);
        *full_at = (*full_at).max(now) + self.every;
    }

    fn give_back<Q>(&mut self, key: &Q)
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some(full_at) = self.full_at.get_mut(key)
            && let Some(earlier) = full_at.checked_sub(self.every)
        {
            *full_at = earlier;
        }
    }

    /// Forgets buckets that are full; when there is none, the fullest of a few: who tried most is
    /// remembered longest.
    fn make_room(&mut self, now: Instant) {
        if self.next_sweep.is_none_or(|at| now >= at) {
            self.next_sweep = Some(now + SWEEP_EVERY);
            self.full_at.retain(|_, full_at| *full_at > now);
        }
        if self.full_at.len() < self.capacity {
            return;
        }
        let fullest = self.full_at.iter().take(16).min_by_key(|(_, at)| **at);
        if let Some(key) = fullest.map(|(key, _)| key.clone()) {
            self.full_at.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn limits() -> AttemptLimits {
        AttemptLimits {
            user_burst: 3,
            user_every: Duration::from_secs(10),
            address_burst: 5,
            address_every: Duration::from_secs(1),
            remembered: 100,
        }
    }

    fn address(n: u8) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, n))
    }

    #[test]
    fn a_user_is_limited_from_whatever_address_and_told_how_long() {
        let limiter = AttemptLimiter::new(&limits());
        let now = Instant::now();
        for n in 0..3 {
            limiter.attempt("ada", address(n), now).unwrap();
        }
        let refused = limiter.attempt("ada", address(9), now).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_secs(10));
        limiter.attempt("grace", address(9), now).unwrap();
        let later = now + Duration::from_secs(4);
        let refused = limiter.attempt("ada", address(9), later).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_secs(6));
        let later = now + Duration::from_secs(10);
        limiter.attempt("ada", address(9), later).unwrap();
        limiter.attempt("ada", address(9), later).unwrap_err();
    }

    #[test]
    fn an_address_is_limited_for_whatever_user() {
        let limiter = AttemptLimiter::new(&limits());
        let now = Instant::now();
        for n in 0..5 {
            limiter.attempt(&format!("user-{n}"), HOME, now).unwrap();
        }
        let refused = limiter.attempt("another", HOME, now).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_secs(1));
        limiter.attempt("another", address(1), now).unwrap();
    }

    #[test]
    fn a_right_password_costs_nothing() {
        let limiter = AttemptLimiter::new(&limits());
        let now = Instant::now();
        for _ in 0..1000 {
            limiter.attempt("ada", HOME, now).unwrap();
            limiter.succeeded("ada", HOME);
        }
    }

    #[test]
    fn a_refused_attempt_is_not_charged() {
        let limiter = AttemptLimiter::new(&limits());
        let now = Instant::now();
        for _ in 0..3 {
            limiter.attempt("ada", HOME, now).unwrap();
        }
        for _ in 0..1000 {
            limiter.attempt("ada", HOME, now).unwrap_err();
        }
        limiter.attempt("ada", HOME, now + Duration::from_secs(10)).unwrap();
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_count_as_one() {
        let limiter = AttemptLimiter::new(&limits());
        let now = Instant::now();
        for n in 0..5 {
            let address: IpAddr = format!("2001:db8:1:2::{n}").parse().unwrap();
            limiter.attempt(&format!("user-{n}"), address, now).unwrap();
        }
        limiter.attempt("x", "2001:db8:1:2:ffff::1".parse().unwrap(), now).unwrap_err();
        limiter.attempt("x", "2001:db8:1:3::1".parse().unwrap(), now).unwrap();
    }

    #[test]
    fn memory_is_bounded_and_a_flood_of_names_does_not_free_the_guilty() {
        let limiter = AttemptLimiter::new(&limits());
        let now = Instant::now();
        for n in 0..3 {
            limiter.attempt("victim", address(n), now).unwrap();
        }
        for n in 0..5000_u32 {
            let address = IpAddr::V4((0x0a00_0000 + n).into());
            limiter.attempt(&format!("made-up-{n}"), address, now).unwrap();
        }
        limiter.attempt("victim", address(9), now).unwrap_err();
        let buckets = limiter.lock();
        assert!(buckets.0.full_at.len() <= 100);
        assert!(buckets.1.full_at.len() <= 100);
    }
}
