//! The contract on the embedded queue.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use tidings::queue::{Batch, Partitions, PublishError, embedded};

use super::Fixture;
use super::fixture::{entry, receive};
use super::limits::ROOM;

async fn open() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let partitions = Partitions::new(NonZeroU16::new(2).unwrap());
    let queue = embedded::open(folder.path(), partitions, ROOM).unwrap();
    Fixture { queue: Arc::new(queue), partitions, _ground: Box::new(folder) }
}

super::contract!(super::open);

#[tokio::test]
async fn whoever_gives_up_on_a_publish_gives_no_room_back() {
    let fixture = open().await;
    let partition = fixture.partition(0);
    let publish = async || {
        let batch = Batch::new(vec![entry(fixture.partitions, partition, "text".to_owned())]);
        let published = fixture.queue.publish(partition, batch);
        tokio::time::timeout(Duration::from_millis(1), published).await
    };
    for _ in 0..ROOM {
        assert!(publish().await.is_err(), "it is taken, and not acknowledged");
    }
    let refused = publish().await;
    assert!(matches!(refused, Ok(Err(PublishError::Nacked))), "{refused:?}");
    // What was given up on is delivered all the same, and its acknowledgement makes room.
    let mut consumer = fixture.consumer().await;
    let got = receive(&mut *consumer, ROOM).await;
    consumer.acknowledge(got.last().unwrap().tag).await.unwrap();
    assert!(publish().await.is_err(), "there is room again");
}
