//! The core scenarios against the relay, the embedded server and the roles, one after the other on
//! this machine, as one table.

mod case;
mod server;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use case::{Case, Kind};
use server::Server;

#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The `tidings` program to measure (built for release)
    #[arg(long)]
    pub tidings: PathBuf,
    /// Folder of a private stack with pg/data, redis and rmq in it, to watch its processes
    #[arg(long)]
    pub stack: Option<PathBuf>,
    /// Sockets of the big cases
    #[arg(long, default_value_t = 15_000)]
    pub sockets: u32,
    /// How long each case is measured
    #[arg(long, default_value = "20s", value_parser = humantime::parse_duration)]
    pub duration: Duration,
    /// Rates to climb, until one is not kept up with
    #[arg(long, value_delimiter = ',', default_value = "10000,28000,40000,60000")]
    pub rates: Vec<f64>,
    /// Messages a second to groups of 50 to climb, likewise
    #[arg(long, value_delimiter = ',', default_value = "1000,2000,3000")]
    pub group_rates: Vec<f64>,
    /// Only these kinds of cases; the relay, which stores nothing, knows the first two
    #[arg(long, value_delimiter = ',', default_value = "quiet,pairs,groups,room,logins,devices")]
    pub cases: Vec<Kind>,
    /// Only these: relay, dev, roles
    #[arg(long, value_delimiter = ',', default_value = "relay,dev,roles")]
    pub only: Vec<String>,
    /// Gateways and workers of the roles
    #[arg(long, default_value_t = 1)]
    pub gateways: u32,
    #[arg(long, default_value_t = 1)]
    pub workers: u32,
    /// Threads of the generator
    #[arg(long, default_value_t = 1)]
    pub threads: u16,
    /// Folder for every report and the table
    #[arg(long, default_value = "bench-out")]
    pub out: PathBuf,
}

/// A mean above this is not keeping up; the figure that the origin claims.
const KEPT_UP_BELOW_MS: f64 = 35.0;

/// Runs everything and returns the table and whether every run was clean.
pub async fn run(options: &Options) -> anyhow::Result<(String, bool)> {
    std::fs::create_dir_all(&options.out).context("cannot create the output folder")?;
    let mut results = Vec::new();
    for kind in ["relay", "dev", "roles"] {
        if !options.only.iter().any(|wanted| wanted == kind) {
            continue;
        }
        let server = match kind {
            "relay" => Server::relay().await?,
            "dev" => Server::embedded(options).await?,
            _ => match server::Services::from_environment() {
                Some(services) => Server::roles(options, &services).await?,
                None => {
                    eprintln!(
                        "no TIDINGS__POSTGRES__URL, TIDINGS__RABBITMQ__URL and TIDINGS__REDIS__URL: roles are left out"
                    );
                    continue;
                }
            },
        };
        climb(options, &server, &mut results).await?;
        server.stop().await;
    }
    let table = table::markdown(&results);
    std::fs::write(options.out.join("table.md"), &table).context("cannot write table.md")?;
    let clean = results.iter().all(|result| result.report.is_clean());
    Ok((table, clean))
}

async fn climb(options: &Options, server: &Server, results: &mut Vec<case::Measured>) -> anyhow::Result<()> {
    for kind in &options.cases {
        if !server.stores && !matches!(kind, Kind::Quiet | Kind::Pairs) {
            continue;
        }
        let steps: Vec<Case> = match kind {
            Kind::Quiet => vec![Case::quiet(options)],
            Kind::Pairs => options.rates.iter().map(|rate| Case::pairs(options, *rate)).collect(),
            Kind::Groups => options.group_rates.iter().map(|rate| Case::groups(options, *rate)).collect(),
            Kind::Room => vec![Case::room(options)],
            Kind::Logins => vec![Case::logins(options)],
            Kind::Devices => Case::devices(options).into(),
        };
        for case in steps {
            let measured = case.measure(options, server).await?;
            let kept_up = measured.keeps_up(KEPT_UP_BELOW_MS);
            results.push(measured);
            if !kept_up {
                eprintln!("{}: {} is more than it keeps up with", server.name, case.name);
                break;
            }
        }
    }
    Ok(())
}
