use clap::Args;

use super::{Failure, load_and_warn, print};
use crate::config::{self, Sources};

/// Validate the configuration and print what is in force
///
/// Prints TOML with secrets masked; a comment says where each value that is no default was
/// said. Every problem is reported at once, with exit code 2.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Example: TIDINGS__SERVER__LISTEN=0.0.0.0:8080 tidings check-config")]
pub struct CheckConfigArgs {
    /// Print the reference of every setting instead, as docs/configuration.md has it
    #[arg(long)]
    pub markdown: bool,
}

impl CheckConfigArgs {
    pub(super) fn run(self, sources: &Sources) -> Result<(), Failure> {
        if self.markdown {
            return print(&config::markdown());
        }
        print(&load_and_warn(sources)?.to_toml())
    }
}
