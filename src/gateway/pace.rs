//! The pace of handshakes: so many a second, some wait for their turn, and past that they are sent away.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quick_cache::sync::Cache;
use tokio::time::Instant;

use super::Gateway;
use super::login::Rejected;
use crate::auth::network_of;

/// When the next turn is.
pub struct Pace(Mutex<Instant>);

impl Pace {
    pub fn new() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    /// When this one's turn is, at `rate` a second; `None` when `queue` others wait already.
    fn turn(&self, rate: u32, queue: usize) -> Option<Instant> {
        let now = Instant::now();
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = (*next).max(now);
        let waiting = turn.duration_since(now).as_secs_f64() * f64::from(rate);
        if waiting > queue as f64 {
            return None;
        }
        *next = turn + Duration::from_secs_f64(1.0 / f64::from(rate.max(1)));
        Some(turn)
    }
}

/// The paces of all, and of addresses.
pub struct Paces {
    all: Pace,
    addresses: Cache<IpAddr, Arc<Pace>>,
}

/// Addresses that are remembered, at about 100 bytes each; one that is forgotten begins anew.
const ADDRESSES: usize = 65_536;
/// Seconds' worth of one address that may wait: whoever waits is still to be served within the time for `hello`.
const PATIENCE: usize = 2;

impl Paces {
    pub fn new() -> Self {
        Self { all: Pace::new(), addresses: Cache::new(ADDRESSES) }
    }

    fn of(&self, address: IpAddr) -> Arc<Pace> {
        let fresh = || Ok::<_, std::convert::Infallible>(Arc::new(Pace::new()));
        match self.addresses.get_or_insert_with(&network_of(address), fresh) {
            Ok(pace) => pace,
            Err(never) => match never {},
        }
    }
}

impl Gateway {
    /// Waits for this handshake's turn in a storm.
    pub(super) async fn wait_for_turn(&self, address: IpAddr) -> Result<(), Rejected> {
        let server = &self.settings.server;
        let mut turn = Instant::now();
        let each = server.handshake_rate_per_address;
        if each > 0 {
            let queue = server.handshake_queue.min(each as usize * PATIENCE);
            turn = turn.max(self.paces.of(address).turn(each, queue).ok_or_else(later)?);
        }
        if server.handshake_rate > 0 {
            let own = self.paces.all.turn(server.handshake_rate, server.handshake_queue);
            turn = turn.max(own.ok_or_else(later)?);
        }
        tokio::time::sleep_until(turn).await;
        Ok(())
    }
}

fn later() -> Rejected {
    Rejected::Later(Duration::from_millis(rand::random_range(1000..5000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn turns_come_at_the_rate_and_past_the_queue_there_is_none() {
        let (pace, began) = (Pace::new(), Instant::now());
        let turns: Vec<_> = (0..5).map(|_| pace.turn(10, 3)).collect();
        let after = |n: u64| Some(began + Duration::from_millis(100 * n));
        assert_eq!(turns, [after(0), after(1), after(2), after(3), None]);
        tokio::time::advance(Duration::from_millis(150)).await;
        assert_eq!(pace.turn(10, 3), after(4));
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_its_own_pace_and_a_network_of_ipv6_shares_one() {
        let paces = Paces::new();
        let of = |address: &str| paces.of(address.parse().unwrap());
        assert!(Arc::ptr_eq(&of("192.0.2.1"), &of("192.0.2.1")));
        assert!(!Arc::ptr_eq(&of("192.0.2.1"), &of("192.0.2.2")));
        assert!(Arc::ptr_eq(&of("2001:db8::1"), &of("2001:db8::2")));
    }
}
