//! What the clients of one thread count. The reporter takes it once a second and leaves an empty one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Latency;

#[derive(Clone, Default)]
pub struct Tally {
    pub totals: Totals,
    /// Scheduled time to `accepted`.
    pub accepted: Latency,
    /// Scheduled time to the arrival at another member.
    pub delivered: Latency,
    /// Scheduled time to the arrival at the last member of a group.
    pub complete: Latency,
    /// Time at which a login was due to its last `sync`.
    pub login: Latency,
    /// Login of a watched user to the `presence` of it.
    pub presence: Latency,
    /// Scheduled time to the write: how late this generator is.
    pub lag: Latency,
}

/// Plain counters, over the whole run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Totals {
    pub sent: u64,
    pub accepted: u64,
    pub delivered: u64,
    pub echoes: u64,
    pub logins: u64,
    pub disconnects: u64,
    pub connect_failures: u64,
    pub receipts: u64,
    pub presences: u64,
    pub resyncs: u64,
    /// Requests for what was missing live.
    pub heals: u64,
    pub sent_again: u64,
    /// Sends that were given up because their sender had been away for too long.
    pub unsent: u64,
    /// Longest time that a client was without a socket after it had logged in, milliseconds.
    pub longest_away_ms: u64,
    pub bytes_in: u64,
    pub frames_in: u64,
    /// `error` frames by code.
    pub errors: BTreeMap<String, u64>,
    /// Connections that the server ended, by close code; 0 is an end without one.
    pub closes: BTreeMap<u16, u64>,
    /// Failed connects, in words.
    pub failures: BTreeMap<String, u64>,
}

impl Totals {
    pub fn errors_in_all(&self) -> u64 {
        self.errors.values().sum()
    }

    pub fn add(&mut self, other: &Totals) {
        for (mine, theirs) in [
            (&mut self.sent, other.sent),
            (&mut self.accepted, other.accepted),
            (&mut self.delivered, other.delivered),
            (&mut self.echoes, other.echoes),
            (&mut self.logins, other.logins),
            (&mut self.disconnects, other.disconnects),
            (&mut self.connect_failures, other.connect_failures),
            (&mut self.receipts, other.receipts),
            (&mut self.presences, other.presences),
            (&mut self.resyncs, other.resyncs),
            (&mut self.heals, other.heals),
            (&mut self.sent_again, other.sent_again),
            (&mut self.unsent, other.unsent),
            (&mut self.bytes_in, other.bytes_in),
            (&mut self.frames_in, other.frames_in),
        ] {
            *mine += theirs;
        }
        self.longest_away_ms = self.longest_away_ms.max(other.longest_away_ms);
        for (code, count) in &other.errors {
            *self.errors.entry(code.clone()).or_default() += count;
        }
        for (code, count) in &other.closes {
            *self.closes.entry(*code).or_default() += count;
        }
        for (what, count) in &other.failures {
            *self.failures.entry(what.clone()).or_default() += count;
        }
    }
}

impl Tally {
    pub fn add(&mut self, other: &Tally) {
        self.totals.add(&other.totals);
        for (mine, theirs) in [
            (&mut self.accepted, &other.accepted),
            (&mut self.delivered, &other.delivered),
            (&mut self.complete, &other.complete),
            (&mut self.login, &other.login),
            (&mut self.presence, &other.presence),
            (&mut self.lag, &other.lag),
        ] {
            mine.add(theirs);
        }
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.totals = Totals::default();
        for latency in [
            &mut self.accepted,
            &mut self.delivered,
            &mut self.complete,
            &mut self.login,
            &mut self.presence,
            &mut self.lag,
        ] {
            latency.clear();
        }
    }
}
