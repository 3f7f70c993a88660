//! One measured case: a run in a process of its own, so that its cost is seen apart.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::process::Command;

use crate::report::Report;

use super::Options;
use super::server::Server;

pub struct Case {
    name: String,
    scenario: &'static str,
    sockets: u32,
    rate: f64,
    duration: Duration,
}

pub struct Measured {
    pub server: &'static str,
    pub case: String,
    pub report: Report,
}

const QUIET: &str = include_str!("../../scenarios/quiet.toml");
const PAIRS: &str = include_str!("../../scenarios/pairs.toml");
/// What a run may take beyond its measured time: logins, warm-up, drain, reading again.
const BEYOND: Duration = Duration::from_secs(600);

impl Case {
    pub fn quiet(options: &Options) -> Self {
        let name = "quiet".to_owned();
        Self { name, scenario: QUIET, sockets: 1000, rate: 100.0, duration: options.duration }
    }

    pub fn pairs(options: &Options, rate: f64) -> Self {
        let name = format!("{rate:.0}/s");
        Self { name, scenario: PAIRS, sockets: options.sockets, rate, duration: options.duration }
    }

    pub async fn measure(&self, options: &Options, server: &Server) -> anyhow::Result<Measured> {
        let folder = options.out.join(format!("{}-{}", server.name, self.name.replace('/', "-per-")));
        std::fs::create_dir_all(&folder)?;
        let scenario = folder.join("scenario.toml");
        std::fs::write(&scenario, self.scenario)?;
        let mut run = Command::new(std::env::current_exe()?);
        run.arg("run").arg(&scenario).arg("--out").arg(&folder).arg("--quiet");
        for url in &server.urls {
            run.args(["--url", url]);
        }
        for watched in server.watched() {
            run.args(["--pid", &watched]);
        }
        if !server.stores {
            run.arg("--no-store");
        }
        run.args(["--sockets", &self.sockets.to_string(), "--rate", &self.rate.to_string()])
            .args(["--duration", &humantime::format_duration(self.duration).to_string()])
            .args(["--threads", &options.threads.to_string()])
            .env("TIDINGS_LOADTEST_HS256_SECRET", &server.secret)
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        eprintln!("{}: {}", server.name, self.name);
        let json = folder.join("report.json");
        let _ = std::fs::remove_file(&json); // one of an earlier bench
        let output = tokio::time::timeout(self.duration + BEYOND, run.output())
            .await
            .context("the run did not end")??;
        let Ok(bytes) = std::fs::read(&json) else {
            bail!(
                "{} at {} had no result: {}",
                server.name,
                self.name,
                String::from_utf8_lossy(&output.stderr)
            );
        };
        let report: Report = serde_json::from_slice(&bytes).context("in report.json")?;
        eprint!("{report}");
        Ok(Measured { server: server.name, case: self.name.clone(), report })
    }
}

impl Measured {
    /// It delivered what was offered, below `mean_ms`; what was refused is not delivered.
    pub fn keeps_up(&self, mean_ms: f64) -> bool {
        let report = &self.report;
        report.delivered_per_s >= 0.98 * report.offered_per_s && report.delivered.mean_ms < mean_ms
    }
}
