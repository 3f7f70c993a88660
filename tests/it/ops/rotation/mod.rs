//! Every secret is replaced, as the runbook says, and nobody notices who need not.

mod certificates;
mod push;
mod ringing;
mod services;
mod tokens;

use crate::support::world::World;

/// A rolling restart: a gateway and a worker at a time, and the push process beside them.
async fn roll(world: &mut World) {
    let pairs = async {
        for (gateway, worker) in world.servers.iter_mut().zip(&mut world.workers) {
            tokio::join!(gateway.replace(), worker.replace());
        }
    };
    let pushers = async {
        for pusher in &mut world.pushers {
            pusher.replace().await;
        }
    };
    tokio::join!(pairs, pushers);
}
