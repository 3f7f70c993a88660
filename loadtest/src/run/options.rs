//! The command line of `run`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;

use crate::plan::Shard;
use crate::scenario::Scenario;
use crate::stats::process::Watched;

#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The scenario, a TOML file
    pub scenario: PathBuf,
    /// Gateway, as ws://host:port/v1/ws; repeat it to spread the sockets over several
    #[arg(long, required = true)]
    pub url: Vec<String>,
    /// HTTP API, when it is not where the first gateway is
    #[arg(long)]
    pub http: Option<String>,
    /// The server's `auth.hs256_secret`, with which the users' tokens are signed
    #[arg(long, env = "TIDINGS_LOADTEST_HS256_SECRET", hide_env_values = true)]
    pub hs256_secret: Option<String>,
    /// Messages a second over all shards
    #[arg(long)]
    pub rate: Option<f64>,
    /// Sockets over all shards
    #[arg(long)]
    pub sockets: Option<u32>,
    /// How long to measure, as in 60s
    #[arg(long, value_parser = humantime::parse_duration)]
    pub duration: Option<Duration>,
    /// How long to send before measuring
    #[arg(long, value_parser = humantime::parse_duration)]
    pub warmup: Option<Duration>,
    /// Connects a second over all shards, 0 for as fast as possible
    #[arg(long)]
    pub connect_rate: Option<f64>,
    /// Bytes of each text
    #[arg(long)]
    pub text_bytes: Option<usize>,
    /// Threads that run clients
    #[arg(long = "threads", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads_count: u16,
    /// This process's part of the whole, as in 0/2
    #[arg(long, default_value = "0/1")]
    pub shard: Shard,
    /// Decides names, pairs and order; the same for all shards of a run and new for each run
    #[arg(long)]
    seed: Option<u64>,
    /// Unix second at which sending begins, so that shards begin together
    #[arg(long)]
    pub start_at: Option<u64>,
    /// Folder for report.json and report.html
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Process to watch, as name=PID, or name=PID+ with all below it
    #[arg(long)]
    pub pid: Vec<Watched>,
    /// Watch every process of this name
    #[arg(long)]
    pub pids_of: Vec<String>,
    /// Do not read everything again afterwards (for a relay that stores nothing)
    #[arg(long)]
    no_store: bool,
    /// Source address; repeat it beyond 28,000 sockets to one server address
    #[arg(long)]
    pub source: Vec<IpAddr>,
    /// Certificates to trust for wss instead of the system's, a PEM file
    #[arg(long)]
    pub ca_file: Option<PathBuf>,
    /// Only the summary
    #[arg(long)]
    pub quiet: bool,
    #[arg(skip)]
    pub threads: usize,
}

impl Options {
    /// Fills what follows from the rest; once, before anything else.
    pub fn complete(mut self) -> Self {
        self.threads = usize::from(self.threads_count);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let nanoseconds = now.map_or(1, |now| now.as_nanos() as u64);
        self.seed = self.seed.or(Some((nanoseconds / 1000) & 0xffff_ffff));
        self
    }

    pub fn seed(&self) -> u64 {
        self.seed.unwrap_or(1)
    }

    pub fn reads_store(&self) -> bool {
        !self.no_store
    }

    /// Base of the HTTP API.
    pub fn http_base(&self) -> String {
        let base = self.http.clone().unwrap_or_else(|| {
            let url = self.url.first().map(String::as_str).unwrap_or_default();
            let http = url.replacen("ws", "http", 1);
            let after_scheme = http.find("://").map_or(0, |at| at + 3);
            let end = http[after_scheme..].find('/').map_or(http.len(), |at| after_scheme + at);
            http[..end].to_owned()
        });
        base.trim_end_matches('/').to_owned()
    }

    /// Lets the command line have the last word.
    pub fn apply(&self, scenario: &mut Scenario) {
        scenario.sockets = self.sockets.unwrap_or(scenario.sockets);
        scenario.rate = self.rate.unwrap_or(scenario.rate);
        scenario.duration = self.duration.unwrap_or(scenario.duration);
        scenario.warmup = self.warmup.unwrap_or(scenario.warmup);
        scenario.connect_rate = self.connect_rate.unwrap_or(scenario.connect_rate);
        scenario.text_bytes = self.text_bytes.unwrap_or(scenario.text_bytes);
    }
}
