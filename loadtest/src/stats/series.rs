//! The run second by second.

use serde::{Deserialize, Serialize};

use super::{Summary, Tally};

/// One process in one second.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sample {
    pub name: String,
    /// Cores used: 1.0 is one core all the time.
    pub cores: f64,
    pub rss_bytes: u64,
}

/// One second of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Point {
    /// Seconds since sending began (warm-up included); negative before.
    pub t: f64,
    /// Seconds that this point covers.
    pub span: f64,
    pub sent: u64,
    pub accepted: u64,
    pub delivered: u64,
    pub logins: u64,
    pub disconnects: u64,
    pub errors: u64,
    pub connected: u64,
    pub delivery: Summary,
    pub acceptance: Summary,
    pub processes: Vec<Sample>,
}

pub type Series = Vec<Point>;

impl Point {
    pub fn new(t: f64, span: f64, tally: &Tally, connected: u64, processes: Vec<Sample>) -> Self {
        Self {
            t,
            span,
            sent: tally.totals.sent,
            accepted: tally.totals.accepted,
            delivered: tally.totals.delivered,
            logins: tally.totals.logins,
            disconnects: tally.totals.disconnects + tally.totals.connect_failures,
            errors: tally.totals.errors_in_all(),
            connected,
            delivery: tally.delivered.summary(),
            acceptance: tally.accepted.summary(),
            processes,
        }
    }
}
