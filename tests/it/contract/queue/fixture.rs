//! What every test of the contract starts from.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tidings::model::{Body, ClientId, ConversationId, EntryKind, NewEntry, Timestamp, UserId};
use tidings::queue::{Batch, Consumer, Delivery, Partition, Partitions, PublishError, Queue};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// No test waits longer for anything.
const DEADLINE: Duration = Duration::from_secs(60);

/// Nothing arrived in this time: nothing will.
pub const QUIET: Duration = Duration::from_millis(300);

pub struct Fixture {
    pub queue: Arc<dyn Queue>,
    pub partitions: Partitions,
    /// What the queue lives on: a folder, a server.
    pub _ground: Box<dyn Any + Send + Sync>,
}

pub type Published = JoinHandle<Vec<Result<(), PublishError>>>;

impl Fixture {
    pub fn partition(&self, index: usize) -> Partition {
        self.partitions.all().nth(index).unwrap()
    }

    /// Publishes one batch for each number to the first partition, in order, in the background.
    pub fn publish(&self, numbers: impl IntoIterator<Item = usize>) -> Published {
        self.publish_to(self.partition(0), numbers)
    }

    pub fn publish_to(&self, partition: Partition, numbers: impl IntoIterator<Item = usize>) -> Published {
        let (queue, partitions) = (self.queue.clone(), self.partitions);
        let batches: Vec<Batch> =
            numbers.into_iter().map(|number| batch(partitions, partition, &[number])).collect();
        tokio::spawn(async move {
            // All are begun before any is awaited, in order.
            join_all(batches.into_iter().map(|batch| queue.publish(partition, batch))).await
        })
    }

    pub async fn consumer(&self) -> Box<dyn Consumer> {
        self.queue.consume(self.partition(0)).await.unwrap()
    }
}

/// Ends a test that hangs.
pub async fn in_time<F: Future>(test: F) -> F::Output {
    tokio::time::timeout(DEADLINE, test).await.expect("the test came to an end in time")
}

/// A batch of a conversation of that partition, one entry for each number.
pub fn batch(partitions: Partitions, partition: Partition, numbers: &[usize]) -> Batch {
    let entries = numbers.iter().map(|number| entry(partitions, partition, number.to_string()));
    Batch::new(entries.collect())
}

pub fn entry(partitions: Partitions, partition: Partition, text: String) -> NewEntry {
    let ids = (1..).map(|id| ConversationId::from_uuid(Uuid::from_u128(id)));
    let conversation_id = ids.into_iter().find(|id| partitions.of(*id) == partition).unwrap();
    NewEntry {
        conversation_id,
        sender_id: UserId::parse("alice").unwrap(),
        client_id: ClientId::parse(&Uuid::new_v4().to_string()).unwrap(),
        kind: EntryKind::Text,
        body: Body { text: Some(text), ..Body::default() },
        peer: None,
        create: false,
        provision: false,
        received_ms: Timestamp::now().as_millis(),
        origin: None,
        push: None,
    }
}

/// The numbers of what was delivered.
pub fn numbers(deliveries: &[Delivery]) -> Vec<usize> {
    let batches = deliveries.iter().map(|delivery| delivery.payload.as_ref().expect("a batch"));
    batches
        .flat_map(|batch| {
            batch.entries().iter().map(|entry| entry.body.text.as_ref().unwrap().parse().unwrap())
        })
        .collect()
}

/// Receives until `count` deliveries are there.
pub async fn receive(consumer: &mut dyn Consumer, count: usize) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    while deliveries.len() < count {
        let next = consumer.receive(count - deliveries.len()).await.unwrap();
        assert!(!next.is_empty(), "receive waits for at least one");
        deliveries.extend(next);
    }
    assert_eq!(deliveries.len(), count);
    deliveries
}

pub async fn assert_nothing_comes(consumer: &mut dyn Consumer) {
    let more = tokio::time::timeout(QUIET, consumer.receive(1)).await;
    assert!(more.is_err(), "nothing was to come: {more:?}");
}

pub fn last_tag(deliveries: &[Delivery]) -> u64 {
    deliveries.last().unwrap().tag
}
