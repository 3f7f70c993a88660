//! Load from the load generator, whose checker judges.

use std::time::Duration;

use clap::Parser;
use tidings_loadtest::report::Report;
use tidings_loadtest::run::{self, Options};

use super::server::SECRET;
use super::world::World;

/// Pairs of users who write to each other; half of the sockets at each gateway.
pub struct Load {
    pub sockets: u32,
    /// Messages a second.
    pub rate: u32,
    pub duration: Duration,
}

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

impl Load {
    /// Connects, sends, drains, reads everything again.
    pub fn run(self, world: &World) -> impl Future<Output = anyhow::Result<Report>> + use<> {
        let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/loadtest/scenarios/pairs.toml");
        let [here, there] = [world.here, world.there].map(|address| format!("ws://{address}/v1/ws"));
        let (sockets, rate) = (self.sockets.to_string(), self.rate.to_string());
        let duration = format!("{}ms", self.duration.as_millis());
        let connects = self.sockets.clamp(200, 1000).to_string();
        #[rustfmt::skip]
        let arguments = [
            "load", scenario, "--url", &here, "--url", &there, "--hs256-secret", SECRET, "--sockets", &sockets, "--rate", &rate,
            "--duration", &duration, "--warmup", "0s", "--connect-rate", &connects, "--quiet",
        ];
        let options = Arguments::parse_from(arguments).options.complete();
        async move { run::run(&options).await }
    }
}
