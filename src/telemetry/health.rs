//! Whether this process can serve, as its probes see it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use prometheus::IntGauge;
use serde::Serialize;

use super::metrics::{Dependency, Metrics, family::Label};

/// When a check that is down makes the process unready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Whenever it is down: nothing works without it and others may have it.
    Always,
    /// Until it was up once. All gateways share a broker: when it goes away, taking every one of
    /// them out of service would turn a part of an outage into the whole.
    UntilFirstUp,
}

/// The checks of a process. Clones share them.
#[derive(Debug, Clone)]
pub struct Health {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    metrics: Arc<Metrics>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    checks: BTreeMap<&'static str, Entry>,
    draining_since: Option<Timestamp>,
    broken: Option<String>,
}

#[derive(Debug)]
struct Entry {
    gate: Gate,
    up: bool,
    was_up: bool,
    since: Timestamp,
    reason: Option<String>,
}

/// What `/healthz/ready` says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub ready: bool,
    pub draining: bool,
    pub checks: BTreeMap<&'static str, CheckReport>,
}

/// One check in a [`Report`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckReport {
    /// `up` or `down`.
    pub state: &'static str,
    /// Whether it keeps the process from being ready.
    pub blocks: bool,
    /// When the state last changed, RFC 3339.
    pub since: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Health {
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { inner: Arc::new(Inner { metrics, state: Mutex::default() }) }
    }

    /// A check of this name, down until it is set up.
    pub fn check(&self, name: &'static str, gate: Gate) -> Check {
        self.register(name, gate, None)
    }

    /// A dependency; also drives `dependency_up`.
    pub fn dependency(&self, dependency: Dependency, gate: Gate) -> Check {
        let gauge = self.inner.metrics.dependencies.dependency_up.get(dependency).clone();
        self.register(dependency.value(), gate, Some(gauge))
    }

    fn register(&self, name: &'static str, gate: Gate, gauge: Option<IntGauge>) -> Check {
        self.state().checks.entry(name).or_insert_with(|| Entry {
            gate,
            up: false,
            was_up: false,
            since: Timestamp::now(),
            reason: Some("starting".to_owned()),
        });
        Check { health: self.clone(), name, gauge }
    }

    /// From now on not ready, so that no new client is sent here. There is no way back.
    pub fn drain(&self) {
        self.state().draining_since.get_or_insert_with(Timestamp::now);
        self.inner.metrics.gateway.gateway_draining.set(1);
    }

    pub fn is_draining(&self) -> bool {
        self.state().draining_since.is_some()
    }

    /// Something of this process itself is broken for good: liveness fails, so it is replaced.
    /// Never called because of a dependency.
    pub fn broken(&self, reason: impl Into<String>) {
        self.state().broken.get_or_insert_with(|| reason.into());
    }

    /// Why the process wants to be replaced, if it does.
    pub fn why_broken(&self) -> Option<String> {
        self.state().broken.clone()
    }

    /// Ready when no check blocks, at least one exists, and the process does not drain.
    pub fn report(&self) -> Report {
        let state = self.state();
        let checks: BTreeMap<_, _> = state
            .checks
            .iter()
            .map(|(name, entry)| {
                let report = CheckReport {
                    state: if entry.up { "up" } else { "down" },
                    blocks: entry.blocks(),
                    since: entry.since,
                    reason: entry.reason.clone(),
                };
                (*name, report)
            })
            .collect();
        let draining = state.draining_since.is_some();
        let blocked = checks.values().any(|check| check.blocks);
        Report { ready: !checks.is_empty() && !blocked && !draining, draining, checks }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while it was held left it as it was: every change is one assignment.
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn blocks(&self) -> bool {
        match self.gate {
            Gate::Always => !self.up,
            Gate::UntilFirstUp => !self.was_up,
        }
    }
}

/// Sets one check up and down. Clones set the same one.
#[derive(Debug, Clone)]
pub struct Check {
    health: Health,
    name: &'static str,
    gauge: Option<IntGauge>,
}

impl Check {
    pub fn up(&self) {
        self.set(true, None);
    }

    /// `reason` is shown to operators: no secret in it.
    pub fn down(&self, reason: impl Into<String>) {
        self.set(false, Some(reason.into()));
    }

    fn set(&self, up: bool, reason: Option<String>) {
        if let Some(gauge) = &self.gauge {
            gauge.set(i64::from(up));
        }
        let mut state = self.health.state();
        let Some(entry) = state.checks.get_mut(self.name) else {
            return;
        };
        if entry.up != up {
            entry.since = Timestamp::now();
        }
        entry.up = up;
        entry.was_up |= up;
        entry.reason = reason;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::Role;

    fn health() -> Health {
        Health::new(Arc::new(Metrics::new(Role::Gateway)))
    }

    #[test]
    fn a_process_without_checks_is_not_ready_yet() {
        assert!(!health().report().ready);
    }

    #[test]
    fn a_dependency_that_goes_away_later_does_not_take_the_process_out_of_service() {
        let health = health();
        let postgres = health.dependency(Dependency::Postgres, Gate::UntilFirstUp);
        assert!(!health.report().ready);
        postgres.up();
        assert!(health.report().ready);
        postgres.down("connection refused");
        let report = health.report();
        assert!(report.ready);
        assert_eq!(report.checks["postgres"].state, "down");
        assert_eq!(report.checks["postgres"].reason.as_deref(), Some("connection refused"));
    }

    #[test]
    fn a_check_that_gates_always_does() {
        let health = health();
        let listener = health.check("listener", Gate::Always);
        listener.up();
        assert!(health.report().ready);
        listener.down("gone");
        assert!(!health.report().ready);
    }

    #[test]
    fn a_dependency_drives_its_metric() {
        let health = health();
        let redis = health.dependency(Dependency::Redis, Gate::UntilFirstUp);
        let gauge = health.inner.metrics.dependencies.dependency_up.get(Dependency::Redis);
        assert_eq!(gauge.get(), 0);
        redis.up();
        assert_eq!(gauge.get(), 1);
        redis.down("reset");
        assert_eq!(gauge.get(), 0);
    }

    #[test]
    fn since_is_kept_while_the_state_stays() {
        let health = health();
        let check = health.check("listener", Gate::Always);
        check.up();
        let since = health.report().checks["listener"].since;
        check.up();
        assert_eq!(health.report().checks["listener"].since, since);
    }

    #[test]
    fn draining_ends_readiness_and_not_liveness() {
        let health = health();
        health.check("listener", Gate::Always).up();
        health.drain();
        let report = health.report();
        assert!(!report.ready && report.draining);
        assert_eq!(health.inner.metrics.gateway.gateway_draining.get(), 1);
        assert_eq!(health.why_broken(), None);
    }
}
