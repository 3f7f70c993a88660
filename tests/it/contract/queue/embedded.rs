//! The contract on the embedded queue.

use std::num::NonZeroU16;
use std::sync::Arc;

use tidings::queue::{Partitions, embedded};

use super::Fixture;
use super::limits::ROOM;

async fn open() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let partitions = Partitions::new(NonZeroU16::new(2).unwrap());
    let queue = embedded::open(folder.path(), partitions, ROOM).unwrap();
    Fixture { queue: Arc::new(queue), partitions, _ground: Box::new(folder) }
}

super::contract!(super::open);
