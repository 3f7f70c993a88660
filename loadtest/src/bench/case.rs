//! One measured case: a run in a process of its own, so that its cost is seen apart.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::process::Command;

use crate::report::Report;

use super::Options;
use super::server::Server;

pub struct Case {
    pub name: String,
    pub kind: Kind,
    scenario: &'static str,
    sockets: u32,
    /// Messages a second; that of the scenario when there is none.
    rate: Option<f64>,
    duration: Duration,
}

/// What a case is about, and so which of its figures count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// A hundred messages a second.
    Quiet,
    /// Everybody writes to one other, faster and faster.
    Pairs,
    /// Groups of 50, faster and faster.
    Groups,
    /// One room with everybody in it.
    Room,
    /// Everybody logs in at once, each with 20 conversations.
    Logins,
    /// What a registered device costs each message that its user acknowledges.
    Devices,
}

pub struct Measured {
    pub server: &'static str,
    pub case: String,
    pub kind: Kind,
    pub report: Report,
}

const QUIET: &str = include_str!("../../scenarios/quiet.toml");
const PAIRS: &str = include_str!("../../scenarios/pairs.toml");
const GROUPS: &str = include_str!("../../scenarios/groups-50.toml");
const ROOM: &str = include_str!("../../scenarios/room-15000.toml");
const LOGINS: &str = include_str!("../../scenarios/login-storm.toml");
const ACKNOWLEDGING: &str = include_str!("../../scenarios/acknowledging.toml");
const DEVICES: &str = include_str!("../../scenarios/devices.toml");
/// To how many others a message to a group of 50 goes.
const GROUP_READERS: f64 = 49.0;
/// A login storm sends nothing: it is over when everybody is in.
const AFTER_LOGINS: Duration = Duration::from_secs(1);
/// What a run may take beyond its measured time: logins, warm-up, drain, reading again.
const BEYOND: Duration = Duration::from_secs(600);

impl Case {
    pub fn quiet(options: &Options) -> Self {
        let sockets = options.sockets.min(1000);
        Self { sockets, rate: Some(100.0), ..Self::of(Kind::Quiet, "quiet", QUIET, options) }
    }

    /// `rate` is of messages: each has 49 deliveries.
    pub fn groups(options: &Options, rate: f64) -> Self {
        let name = format!("groups of 50, {rate:.0}/s");
        Self { rate: Some(rate), ..Self::of(Kind::Groups, &name, GROUPS, options) }
    }

    pub fn room(options: &Options) -> Self {
        Self::of(Kind::Room, &format!("room of {}", options.sockets), ROOM, options)
    }

    pub fn logins(options: &Options) -> Self {
        let name = format!("{} logins", options.sockets);
        Self { duration: AFTER_LOGINS, ..Self::of(Kind::Logins, &name, LOGINS, options) }
    }

    /// The same without devices and with them.
    pub fn devices(options: &Options) -> [Self; 2] {
        [("acknowledging", ACKNOWLEDGING), ("acknowledging, with devices", DEVICES)]
            .map(|(name, scenario)| Self::of(Kind::Devices, name, scenario, options))
    }

    fn of(kind: Kind, name: &str, scenario: &'static str, options: &Options) -> Self {
        let (name, sockets, duration) = (name.to_owned(), options.sockets, options.duration);
        Self { name, kind, scenario, sockets, rate: None, duration }
    }

    pub fn pairs(options: &Options, rate: f64) -> Self {
        let name = format!("{rate:.0}/s");
        Self { rate: Some(rate), ..Self::of(Kind::Pairs, &name, PAIRS, options) }
    }

    pub async fn measure(&self, options: &Options, server: &Server) -> anyhow::Result<Measured> {
        let name = self.name.replace('/', "-per-").replace([' ', ','], "-");
        let folder = options.out.join(format!("{}-{name}", server.name));
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
        if let Some(rate) = self.rate {
            run.args(["--rate", &rate.to_string()]);
        }
        run.args(["--sockets", &self.sockets.to_string()])
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
        Ok(Measured { server: server.name, case: self.name.clone(), kind: self.kind, report })
    }
}

impl Measured {
    /// It delivered what was offered, below `mean_ms`; what was refused is not delivered.
    pub fn keeps_up(&self, mean_ms: f64) -> bool {
        let report = &self.report;
        let readers = match self.kind {
            Kind::Quiet | Kind::Pairs => 1.0,
            Kind::Groups => GROUP_READERS,
            // Nothing to climb.
            Kind::Room | Kind::Logins | Kind::Devices => return true,
        };
        report.delivered_per_s >= 0.98 * readers * report.offered_per_s && report.delivered.mean_ms < mean_ms
    }
}
