//! The command line.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use tokio::net::TcpListener;

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
    /// Run a scenario; exits with 1 when a promise was broken
    Run(Box<run::Options>),
    /// Serve the bare relay: the floor that a server is compared with
    Relay {
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
    },
    /// Measure relay, embedded server and roles on this machine and print one table
    Bench(Box<bench::Options>),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::Run(options) => {
            let options = options.complete();
            let report = run::run(&options).await?;
            print!("{report}");
            if let Some(folder) = &options.out {
                report.write(folder)?;
                println!("  report in {}", folder.display());
            }
            Ok(if report.is_clean() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        Command::Relay { listen } => {
            rlimit::increase_nofile_limit(u64::MAX).context("cannot raise the file limit")?;
            let listener = TcpListener::bind(listen).await.context("cannot listen")?;
            println!("relay on ws://{}/v1/ws", listener.local_addr()?);
            relay::serve(listener).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Bench(options) => {
            let (table, clean) = bench::run(&options).await?;
            println!("{table}");
            Ok(if clean {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
    }
}
