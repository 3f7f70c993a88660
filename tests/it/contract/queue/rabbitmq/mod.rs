//! The contract on RabbitMQ, and what only a broker does.

mod broker;
mod faults;
mod rig;

use std::sync::Arc;

pub use self::rig::Rig;
use super::Fixture;
use super::limits::ROOM;

async fn open() -> Fixture {
    let rig = Rig::shared(|queue| queue.max_length_bytes = ROOM * 1000).await;
    let queue = Arc::new(rig.connect().await);
    Fixture { queue, partitions: rig.partitions, _ground: Box::new(rig) }
}

super::contract!(super::open);
