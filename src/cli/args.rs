//! Arguments of the commands that run roles, and how they become settings.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Subcommand};

use crate::config::Sources;

/// Run everything in one process, without any service
///
/// Data are durable in --data-dir. Accounts are on: open the page at the listening address and
/// sign up. Stops with Ctrl-C.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = "Example: tidings dev --listen 127.0.0.1:8080 --data-dir ./tidings-data")]
pub struct DevArgs {
    /// Address of the page, WebSockets and HTTP API [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Address of /metrics and /healthz [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDRESS")]
    pub ops_listen: Option<SocketAddr>,
    /// Folder of the database and the generated secret [default: ./tidings-data]
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
}

impl DevArgs {
    /// What is different in `tidings dev`: its own defaults below the file, its flags on top.
    pub fn sources(&self, mut sources: Sources) -> Sources {
        sources.command = Some((
            "tidings dev",
            vec![
                ("auth.accounts", "true".to_owned()),
                // One process: there is nowhere to send the clients, so do not wait.
                ("drain.window", "1s".to_owned()),
            ],
        ));
        listen(&mut sources, self.listen);
        ops_listen(&mut sources, self.ops_listen);
        data_dir(&mut sources, self.data_dir.as_deref());
        sources
    }
}

/// Serve WebSockets and the HTTP API
///
/// Needs RabbitMQ, Postgres and Redis; waits for them when they are not there yet.
#[derive(Debug, Clone, Default, Args)]
pub struct GatewayArgs {
    /// Address of WebSockets and the HTTP API [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Address of /metrics and /healthz [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDRESS")]
    pub ops_listen: Option<SocketAddr>,
}

impl GatewayArgs {
    pub fn sources(&self, mut sources: Sources) -> Sources {
        listen(&mut sources, self.listen);
        ops_listen(&mut sources, self.ops_listen);
        sources
    }
}

/// Store accepted messages, deliver them live, hand them to the push stage
///
/// Needs RabbitMQ, Postgres and Redis; waits for them when they are not there yet. Several
/// workers share the partitions.
#[derive(Debug, Clone, Default, Args)]
pub struct WorkerArgs {
    /// Address of /metrics and /healthz [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDRESS")]
    pub ops_listen: Option<SocketAddr>,
}

impl WorkerArgs {
    pub fn sources(&self, mut sources: Sources) -> Sources {
        ops_listen(&mut sources, self.ops_listen);
        sources
    }
}

/// Decide whom to notify, and deliver to APNs, FCM and Web Push
///
/// Needs RabbitMQ, Postgres, Redis and at least one provider.
#[derive(Debug, Clone, Default, Args)]
pub struct PushArgs {
    /// Address of /metrics and /healthz [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDRESS")]
    pub ops_listen: Option<SocketAddr>,
}

impl PushArgs {
    pub fn sources(&self, mut sources: Sources) -> Sources {
        ops_listen(&mut sources, self.ops_listen);
        sources
    }
}

/// Bring the database to this release's schema, then exit
///
/// Safe to run twice, at once, and while the previous release still runs.
#[derive(Debug, Clone, Default, Args)]
pub struct MigrateArgs {}

/// List, inspect and replay messages that were set aside
///
/// Without a rabbitmq.url it lists and shows those of `tidings dev`, which may run meanwhile.
#[derive(Debug, Clone, Args)]
pub struct DeadLettersArgs {
    #[command(subcommand)]
    pub command: DeadLettersCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub enum DeadLettersCommand {
    /// One line for each, the oldest first
    List {
        /// At most this many
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Everything about one; message texts only with --text
    Show {
        id: String,
        /// Print the texts of its messages
        #[arg(long)]
        text: bool,
    },
    /// Publish again to where they came from; each is removed once that is confirmed
    #[command(
        after_help = "Examples: tidings dead-letters replay 7 9\n          tidings dead-letters replay --all"
    )]
    Replay {
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        ids: Vec<String>,
        /// All that are there now
        #[arg(long)]
        all: bool,
    },
}

/// Stand in for APNs, FCM and Web Push, and show each push that arrives
///
/// Real TLS servers with the checks and the refusals of the real ones. Prints the settings with
/// which `tidings push` or `tidings dev` sends to them, then a line for each push. Keys and
/// certificates are new at every start.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Example: tidings fake-push --topic org.example.chat
         (set -a; . ./tidings-fake-push/tidings.env; tidings dev)
What the control port takes is in docs/push.md.")]
pub struct FakePushArgs {
    /// Address of the fake APNs; FCM, Web Push and the control port take the three ports behind
    /// it, with port 0 any free ones
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8190")]
    pub listen: SocketAddr,
    /// Folder for the generated certificate authority, keys and settings
    #[arg(long, value_name = "FOLDER", default_value = "./tidings-fake-push")]
    pub data_dir: PathBuf,
    /// Topic (bundle id) that the APNs key may push to; several times for several [default: any]
    #[arg(long = "topic", value_name = "TOPIC")]
    pub topics: Vec<String>,
    /// Firebase project
    #[arg(long, value_name = "NAME", default_value = "tidings-dev")]
    pub project: String,
}

fn listen(sources: &mut Sources, address: Option<SocketAddr>) {
    if let Some(address) = address {
        sources.flags.push(("--listen", "server.listen", address.to_string()));
    }
}

fn ops_listen(sources: &mut Sources, address: Option<SocketAddr>) {
    if let Some(address) = address {
        sources.flags.push(("--ops-listen", "server.ops_listen", address.to_string()));
    }
}

pub(super) fn data_dir(sources: &mut Sources, folder: Option<&std::path::Path>) {
    if let Some(folder) = folder {
        let folder = folder.to_string_lossy().into_owned();
        sources.flags.push(("--data-dir", "embedded.data_dir", folder));
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::{Origin, load};

    /// All role commands in one parser, as the integration will have them.
    #[derive(Debug, Parser)]
    enum Everything {
        Dev(DevArgs),
        Gateway(GatewayArgs),
        Worker(WorkerArgs),
        Push(PushArgs),
        Migrate(MigrateArgs),
        DeadLetters(DeadLettersArgs),
        FakePush(FakePushArgs),
    }

    fn parse(line: &str) -> Result<Everything, clap::Error> {
        Everything::try_parse_from(std::iter::once("tidings").chain(line.split_whitespace()))
    }

    #[test]
    fn every_role_parses() {
        for line in [
            "dev",
            "dev --listen 127.0.0.1:8080 --ops-listen 127.0.0.1:9090 --data-dir ./tidings-data",
            "gateway --listen 0.0.0.0:8080",
            "worker --ops-listen [::1]:9090",
            "push",
            "migrate",
            "dead-letters list --limit 5",
            "dead-letters show 7",
            "dead-letters replay 7 9",
            "dead-letters replay --all",
            "fake-push",
            "fake-push --listen 127.0.0.1:0 --data-dir /x --topic a --topic b --project p",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn replay_needs_ids_or_all_and_not_both() {
        assert!(parse("dead-letters replay").is_err());
        assert!(parse("dead-letters replay 7 --all").is_err());
    }

    #[test]
    fn flags_of_dev_win_over_everything() {
        let Everything::Dev(args) = parse("dev --listen 127.0.0.1:7000 --data-dir /x").unwrap() else {
            panic!("dev parses as dev")
        };
        let environment = vec![("TIDINGS__SERVER__LISTEN".to_owned(), "127.0.0.1:6000".to_owned())];
        let sources = args.sources(Sources { environment, ..Sources::default() });
        let loaded = load(&sources).unwrap();
        assert_eq!(loaded.config.server.listen.port(), 7000);
        assert_eq!(loaded.origins["server.listen"], Origin::Flag("--listen"));
        assert_eq!(loaded.config.embedded.data_dir, PathBuf::from("/x"));
    }

    #[test]
    fn dev_has_accounts_unless_the_environment_says_no() {
        let dev = DevArgs::default().sources(Sources::default());
        assert!(load(&dev).unwrap().config.auth.accounts);
        let environment = vec![("TIDINGS__AUTH__ACCOUNTS".to_owned(), "false".to_owned())];
        let sources = DevArgs::default().sources(Sources { environment, ..Sources::default() });
        assert!(!load(&sources).unwrap().config.auth.accounts);
    }
}
