//! How much a partition holds, and what is known of it.

use std::sync::Arc;
use std::time::Duration;

use tidings::queue::{Batch, PublishError, Queue};
use tokio::task::JoinHandle;

use super::Fixture;
use super::fixture::{entry, receive};

/// What a fixture's partition holds at least and at most: entries, of which each has about a kilobyte.
pub const ROOM: usize = 24;
const FULL_AT_LAST: usize = 200;

pub async fn a_full_partition_refuses_and_takes_again_when_there_is_room(fixture: Fixture) {
    let mut published = Vec::new();
    let refused = loop {
        assert!(published.len() < FULL_AT_LAST, "it is full at last");
        let mut next = publish_a_kilobyte(&fixture);
        match tokio::time::timeout(Duration::from_millis(50), &mut next).await {
            Ok(Err(error)) => break error,
            // Confirmed, or not before it is acknowledged.
            Ok(Ok(())) | Err(_) => published.push(next),
        }
    };
    assert!(matches!(refused, PublishError::Nacked), "{refused}");

    let mut consumer = fixture.consumer().await;
    // A batch whose fate was unknown may have been refused too.
    let mut taken = 0;
    while let Ok(more) = tokio::time::timeout(Duration::from_secs(1), consumer.receive(50)).await {
        let more = more.unwrap();
        taken += more.len();
        consumer.acknowledge(more.last().unwrap().tag).await.unwrap();
    }
    assert!(taken > 1 && taken <= published.len(), "{taken} of {}", published.len());
    let next = publish_a_kilobyte(&fixture);
    let got = receive(&mut *consumer, 1).await;
    consumer.acknowledge(got[0].tag).await.unwrap();
    next.await.unwrap();
}

fn publish_a_kilobyte(fixture: &Fixture) -> JoinedPublish {
    let partition = fixture.partition(0);
    let text = "x".repeat(1000);
    let batch = Batch::new(vec![entry(fixture.partitions, partition, text)]);
    let queue: Arc<dyn Queue> = Arc::clone(&fixture.queue);
    JoinedPublish(tokio::spawn(async move { queue.publish(partition, batch).await }))
}

/// A publish in the background, panics passed on.
struct JoinedPublish(JoinHandle<Result<(), PublishError>>);

impl Future for JoinedPublish {
    type Output = Result<(), PublishError>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.0).poll(context).map(|joined| joined.expect("it does not panic"))
    }
}

pub async fn depths_tell_what_waits(fixture: Fixture) {
    let _first = fixture.publish_to(fixture.partition(0), 0..3);
    let _second = fixture.publish_to(fixture.partition(1), 0..2);
    fixture.queue.bury("{}".into(), "a test", "0").await.unwrap();
    loop {
        let depths = fixture.queue.depths().await.unwrap();
        let ready = |queue: &str| depths.iter().find(|depth| depth.queue == queue).unwrap().ready;
        if ready("inbound") == 5 && ready("dead") == 1 {
            break;
        }
        assert!(ready("inbound") <= 5 && ready("dead") <= 1, "{depths:?}");
        // The test's deadline ends it.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub async fn depths_tell_what_a_consumer_holds(fixture: Fixture) {
    let _published = fixture.publish(0..3);
    let mut consumer = fixture.consumer().await;
    let mut got = Vec::new();
    while got.len() < 3 {
        got.extend(receive(&mut *consumer, 1).await);
    }
    let held = async || {
        let depths = fixture.queue.depths().await.unwrap();
        depths.iter().find(|depth| depth.queue == "inbound").unwrap().unacknowledged
    };
    assert_eq!(held().await, 3);
    consumer.acknowledge(got[1].tag).await.unwrap();
    assert_eq!(held().await, 1);
    consumer.close().await;
    assert_eq!(held().await, 0);
}

pub async fn a_queue_that_can_be_used_answers_a_ping(fixture: Fixture) {
    fixture.queue.ping().await.unwrap();
}
