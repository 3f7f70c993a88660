use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::broadcast;

use super::faults::Faults;
use super::phones::Phones;
use super::webpush::Browser;
use super::{Arrival, FakeError, NewSubscription, Phone, Rule, Service};
use crate::push::provider::Clock;

/// Browsers that are remembered; one more takes the place of another.
const MAX_BROWSERS: usize = 10_000;

/// Everything that the services and the control port share.
pub struct World {
    clock: Clock,
    faults: Mutex<Faults>,
    phones: Mutex<Phones>,
    browsers: Mutex<HashMap<String, std::sync::Arc<Browser>>>,
    requests: [AtomicU64; 4],
    connections: [AtomicU64; 4],
    provider_tokens: AtomicU64,
}

impl World {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            faults: Mutex::default(),
            phones: Mutex::default(),
            browsers: Mutex::default(),
            requests: Default::default(),
            connections: Default::default(),
            provider_tokens: AtomicU64::new(0),
        }
    }

    pub(super) fn now(&self) -> SystemTime {
        (self.clock)()
    }

    pub(super) fn unix_now(&self) -> u64 {
        self.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }

    pub(super) fn fault(&self, service: Service, rule: Rule) {
        lock(&self.faults).add(service, rule);
    }

    pub(super) fn clear_faults(&self) {
        lock(&self.faults).clear();
    }

    /// Counts a request and says whether it is to go wrong.
    pub(super) fn next_fault(&self, service: Service, token: Option<&str>) -> Option<Rule> {
        self.requests[service.index()].fetch_add(1, Ordering::Relaxed);
        lock(&self.faults).next(service, token)
    }

    pub(super) fn requests(&self, service: Service) -> u64 {
        self.requests[service.index()].load(Ordering::Relaxed)
    }

    pub(super) fn count_connection(&self, service: Service) {
        self.connections[service.index()].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn connections(&self, service: Service) -> u64 {
        self.connections[service.index()].load(Ordering::Relaxed)
    }

    pub(super) fn count_provider_token(&self) {
        self.provider_tokens.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn provider_tokens(&self) -> u64 {
        self.provider_tokens.load(Ordering::Relaxed)
    }

    pub(super) fn with_phones<R>(&self, act: impl FnOnce(&mut Phones) -> R) -> R {
        act(&mut lock(&self.phones))
    }

    pub(super) fn phone(&self, token: &str) -> Option<Phone> {
        lock(&self.phones).get(token).cloned()
    }

    pub(super) fn phones(&self) -> Vec<Phone> {
        lock(&self.phones).all()
    }

    pub(super) fn arrivals(&self) -> broadcast::Receiver<Arrival> {
        lock(&self.phones).arrivals()
    }

    pub(super) fn uninstall(&self, token: &str) -> Option<()> {
        let now = self.now();
        let browser = lock(&self.browsers).remove(token).map(drop);
        lock(&self.phones).uninstall(token, now).or(browser)
    }

    pub(super) fn subscribe(
        &self,
        origin: &str,
        application_server_key: Option<String>,
    ) -> Result<NewSubscription, FakeError> {
        let (browser, subscription) = Browser::subscribe(origin, application_server_key)?;
        let mut browsers = lock(&self.browsers);
        if browsers.len() >= MAX_BROWSERS
            && let Some(one) = browsers.keys().next().cloned()
        {
            browsers.remove(&one);
        }
        browsers.insert(subscription.phone.clone(), std::sync::Arc::new(browser));
        drop(browsers);
        Ok(subscription)
    }

    pub(super) fn browser(&self, phone: &str) -> Option<std::sync::Arc<Browser>> {
        lock(&self.browsers).get(phone).cloned()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
