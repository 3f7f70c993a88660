//! What a run found, for machines (`report.json`), for the terminal, and for the eye (`report.html`).

mod axis;
mod build;
mod chart;
mod html;
pub mod merge;
mod plots;
mod terminal;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::checker::Verdict;
use crate::scenario::Scenario;
use crate::stats::{Series, Summary, Totals};

pub use build::{Parts, build};

/// Everything about one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub scenario: Scenario,
    pub seed: u64,
    pub shard: String,
    /// Unix second at which sending began.
    pub began_at: u64,
    pub users: usize,
    pub sockets: u32,
    /// Messages a second in the measured time.
    pub offered_per_s: f64,
    pub sent_per_s: f64,
    /// Deliveries a second to others than the sender.
    pub delivered_per_s: f64,
    pub accepted: Summary,
    pub delivered: Summary,
    pub complete: Summary,
    pub login: Summary,
    pub presence: Summary,
    /// How late the generator itself was with its sends.
    pub lag: Summary,
    /// From the first connect to the last login, seconds.
    pub all_logged_in_s: f64,
    /// From the last send until everybody had everything; nothing when the deadline passed.
    pub drained_s: Option<f64>,
    pub totals: Totals,
    pub verdict: Verdict,
    pub store_was_read: bool,
    /// By process, means of the measured time.
    pub processes: Vec<Process>,
    /// Quantile and milliseconds.
    pub delivered_quantiles: Vec<(f64, f64)>,
    pub accepted_quantiles: Vec<(f64, f64)>,
    /// Microseconds and count of each filled bucket, to merge shards by.
    pub buckets: BTreeMap<String, Vec<(u64, u64)>>,
    pub series: Series,
}

/// What one process cost.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Process {
    pub name: String,
    pub cores: f64,
    pub cpu_us_per_message: f64,
    pub rss_before: u64,
    pub rss_idle: u64,
    pub rss_after: u64,
    /// Growth of resident memory by the logins, over the sockets.
    pub bytes_per_socket_idle: f64,
    /// The same after the load.
    pub bytes_per_socket_after: f64,
}

impl Report {
    /// Writes `report.json` and `report.html`.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let json = serde_json::to_vec_pretty(self)?;
        std::fs::write(folder.join("report.json"), json).context("cannot write report.json")?;
        let page = folder.join("report.html");
        std::fs::write(page, html::page(self)).context("cannot write report.html")?;
        Ok(())
    }

    /// No promise was broken.
    pub fn is_clean(&self) -> bool {
        self.verdict.counts.is_clean()
    }
}
