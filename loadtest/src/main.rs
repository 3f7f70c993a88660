//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use tokio::net::TcpListener;

use tidings_loadtest::report::merge;
use tidings_loadtest::{bench, relay, run};

/// Load for Tidings: runs a scenario, measures it, and checks that nothing was lost.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a scenario; exits with 1 when a promise was broken, with 2 when it could not run
    Run(Box<run::Options>),
    /// Serve the bare relay: the floor that a server is compared with
    Relay {
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
    },
    /// Add the reports of shards that ran together
    Merge {
        /// Folders with a report.json each
        #[arg(required = true)]
        shards: Vec<PathBuf>,
        /// Folder for the report of the whole
        #[arg(long)]
        out: PathBuf,
    },
    /// Measure relay, embedded server and roles on this machine and print one table
    Bench(Box<bench::Options>),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match obey().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn obey() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::Run(options) => {
            let options = options.complete();
            let report = run::run(&options).await?;
            print!("{report}");
            if let Some(folder) = &options.out {
                report.write(folder)?;
                println!("  report in {}", folder.display());
            }
            Ok(code(report.is_clean()))
        }
        Command::Relay { listen } => {
            rlimit::increase_nofile_limit(u64::MAX).context("cannot raise the file limit")?;
            let listener = TcpListener::bind(listen).await.context("cannot listen")?;
            println!("relay on ws://{}/v1/ws", listener.local_addr()?);
            relay::serve(listener).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Merge { shards, out } => {
            let reports = shards.iter().map(|folder| merge::read(folder));
            let whole = merge::merge(reports.collect::<anyhow::Result<_>>()?)?;
            whole.write(&out)?;
            print!("{whole}");
            Ok(code(whole.is_clean()))
        }
        Command::Bench(options) => {
            let (table, clean) = bench::run(&options).await?;
            println!("{table}");
            Ok(code(clean))
        }
    }
}

fn code(clean: bool) -> ExitCode {
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
