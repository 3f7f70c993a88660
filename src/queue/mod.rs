//! The queue between gateways and workers.
//!
//! What a publish returned for is durable: it is delivered, again and again until it is acknowledged, in the order of its
//! partition, to one consumer at a time. Backends: `rabbitmq` and `embedded`; one suite of contract tests runs on both.

mod batch;
mod dead;
pub mod embedded;
mod error;
mod partition;
mod push;
pub mod rabbitmq;
mod waiting;

use std::time::Duration;

use async_trait::async_trait;

pub use batch::{Batch, DecodeError};
pub use dead::{DeadLetter, DeadLetters, LetterId, Replayed};
pub use error::{PublishError, QueueError};
pub use partition::{Partition, Partitions};
pub use push::{PushConsumer, PushDelivery, PushJob, PushLane, PushQueue};
pub use waiting::Waiting;

/// What a consumer got: one published batch.
#[derive(Debug)]
pub struct Delivery {
    /// Rises within one consumer.
    pub tag: u64,
    /// Delivered before, to a consumer that did not acknowledge it.
    pub redelivered: bool,
    /// What was published, or the bytes of something that no release of ours wrote.
    pub payload: Result<Batch, Poison>,
}

/// A payload that cannot be decoded.
#[derive(Debug)]
pub struct Poison {
    pub bytes: bytes::Bytes,
    pub error: DecodeError,
}

/// How much waits in a queue; for metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depth {
    /// The queue's metric label: `inbound`, `dead`, or a push queue's name.
    pub queue: String,
    pub ready: u64,
    /// Of RabbitMQ what consumers of this process hold: AMQP does not tell of the others.
    pub unacknowledged: u64,
    /// Of a push queue: for how long the oldest job that consumers of this process hold, or held since the last look, could have
    /// been worked on.
    pub oldest: Option<Duration>,
}

/// Carries batches of accepted entries from gateways to workers.
#[async_trait]
pub trait Queue: DeadLetters + Send + Sync + 'static {
    /// Publishes a batch to a partition and returns once it survives the death of any one process.
    ///
    /// # Errors
    /// None of them says that the batch was not published: it may be delivered all the same.
    async fn publish(&self, partition: Partition, batch: Batch) -> Result<(), PublishError>;

    /// Becomes the partition's consumer, or waits its turn: only one gets deliveries at a time.
    async fn consume(&self, partition: Partition) -> Result<Box<dyn Consumer>, QueueError>;

    /// Resolves once the queue can be used: connected, everything declared.
    ///
    /// # Errors
    /// It holds publishers back, or does not answer.
    async fn ping(&self) -> Result<(), QueueError>;

    /// How much waits in each queue.
    async fn depths(&self) -> Result<Vec<Depth>, QueueError>;
}

/// The consumer of one partition. Dropped, or closed, everything that it did not acknowledge is delivered to the next one.
#[async_trait]
pub trait Consumer: Send {
    /// Waits for at least one delivery and takes those that are there, up to about `rows` entries; in order. Cancel-safe.
    ///
    /// # Errors
    /// The consumer is lost (connection, channel, taken away); a new one is needed.
    async fn receive(&mut self, rows: usize) -> Result<Vec<Delivery>, QueueError>;

    /// Acknowledges this delivery and every one before it.
    async fn acknowledge(&mut self, through: u64) -> Result<(), QueueError>;

    /// Gives the partition up: what was not acknowledged goes to the next consumer, in order.
    async fn close(self: Box<Self>);
}
