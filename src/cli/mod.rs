//! The command line: one file a command.

mod args;
mod check_config;
mod healthcheck;
mod probe;
mod token;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::config::{ConfigError, Loaded, Sources, load};
use crate::roles;

pub use self::{
    args::{
        DeadLettersArgs, DeadLettersCommand, DevArgs, FakePushArgs, GatewayArgs, MigrateArgs, PushArgs,
        WorkerArgs,
    },
    check_config::CheckConfigArgs,
    healthcheck::HealthcheckArgs,
    probe::ProbeArgs,
    token::TokenArgs,
};

const LONG_ABOUT: &str = "\
Real-time messaging that keeps what it accepted.

Tidings moves a message from one person's socket to every other person's socket or phone. One
binary plays every part; which one, the command says.";

const AFTER_HELP: &str = "\
Configuration, later sources win: built-in defaults, --config FILE (TOML), environment, flags.
  server.listen is TIDINGS__SERVER__LISTEN in the environment.
  A secret may stand in a file: TIDINGS__AUTH__HS256_SECRET_FILE=/run/secrets/hs256.
  `tidings check-config` prints every key in force and where it was said.

Exit codes: 0 done, 1 failed, 2 wrong configuration or arguments.";

#[derive(Debug, Parser)]
#[command(name = "tidings", version, about = "Real-time messaging that keeps what it accepted", long_about = LONG_ABOUT, after_help = AFTER_HELP)]
#[command(max_term_width = 100)]
pub struct Cli {
    /// Read settings from this TOML file
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Dev(DevArgs),
    Gateway(GatewayArgs),
    Worker(WorkerArgs),
    Push(PushArgs),
    Migrate(MigrateArgs),
    DeadLetters(DeadLettersArgs),
    CheckConfig(CheckConfigArgs),
    Healthcheck(HealthcheckArgs),
    Token(TokenArgs),
    Probe(ProbeArgs),
    FakePush(FakePushArgs),
}

/// Why a command ends with another code than 0.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{0:#}")]
    Other(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    /// A role that finds its configuration wrong says so as the loading does.
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<ConfigError>() {
            Ok(error) => Self::Config(error),
            Err(error) => Self::Other(error),
        }
    }
}

impl Failure {
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 2,
            Self::Other(_) => 1,
        }
    }
}

/// Runs what the arguments of this process say.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("tidings: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

impl Cli {
    fn run(self) -> Result<(), Failure> {
        let sources = Sources::from_process(self.config);
        match self.command {
            Command::Dev(args) => Ok(roles::dev(load(&args.sources(sources))?)?),
            Command::Gateway(args) => Ok(roles::gateway(load(&args.sources(sources))?)?),
            Command::Worker(args) => Ok(roles::worker(load(&args.sources(sources))?)?),
            Command::Push(args) => Ok(roles::push(load(&args.sources(sources))?)?),
            Command::Migrate(_) => Ok(roles::migrate(load(&sources)?)?),
            Command::DeadLetters(args) => print(&roles::dead_letters(&load(&sources)?, args.command)?),
            Command::CheckConfig(args) => args.run(&sources),
            Command::Healthcheck(args) => args.run(&sources),
            Command::Token(args) => args.run(sources),
            Command::Probe(args) => args.run(&sources),
            Command::FakePush(args) => Ok(roles::fake_push(&args)?),
        }
    }
}

/// Loads, and prints what should not stay as it is.
fn load_and_warn(sources: &Sources) -> Result<Loaded, ConfigError> {
    let loaded = load(sources)?;
    for warning in &loaded.warnings {
        eprintln!("tidings: warning: {warning}");
    }
    Ok(loaded)
}

/// Standard output may be a pipe that is closed: no panic then.
fn print(text: &str) -> Result<(), Failure> {
    use std::io::{ErrorKind, Write};
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(anyhow::Error::from(error).into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn config_is_taken_before_and_behind_the_command() {
        for arguments in [
            ["tidings", "--config", "a.toml", "check-config"],
            ["tidings", "check-config", "--config", "a.toml"],
        ] {
            let cli = Cli::try_parse_from(arguments).unwrap();
            assert_eq!(cli.config, Some(PathBuf::from("a.toml")));
        }
    }

    #[test]
    fn help_says_where_configuration_comes_from_and_what_exit_codes_mean() {
        let help = Cli::command().render_long_help().to_string();
        for text in ["TIDINGS__SERVER__LISTEN", "Exit codes", "--config <FILE>", "check-config"] {
            assert!(help.contains(text), "{text}: {help}");
        }
    }

    #[test]
    fn a_wrong_configuration_exits_with_2_and_the_rest_with_1() {
        let wrong = crate::config::Problems::default().into_error();
        assert_eq!(Failure::from(wrong).exit_code(), 2);
        assert_eq!(Failure::from(anyhow::anyhow!("no")).exit_code(), 1);
    }
}
