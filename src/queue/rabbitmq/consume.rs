//! Consuming a partition.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Connection};

use super::error::{failed, unavailable};
use super::link::{Link, Use};
use super::state::Purpose;
use super::topology::Topology;
use crate::queue::{Batch, Consumer, Delivery, Poison, QueueError};

/// The connection that consumes: no alarm blocks it.
pub(super) struct Consuming {
    connection: Connection,
}

impl Use for Consuming {
    const PURPOSE: Purpose = Purpose::Consume;

    async fn prepare(connection: Connection, _topology: &Topology) -> Result<Self, QueueError> {
        Ok(Self { connection })
    }

    fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// Time for a step in which the broker only has to answer; a connection that is dead is found dead by its heartbeat.
pub(super) const STEP: Duration = Duration::from_secs(10);

impl Link<Consuming> {
    pub async fn consume(&self, queue: ShortString, prefetch: u16) -> Result<Subscription, QueueError> {
        let live = self.now().map_err(unavailable)?;
        let subscribed = Subscription::open(&live.connection, queue, prefetch);
        tokio::time::timeout(STEP, subscribed)
            .await
            .unwrap_or_else(|_| Err(unavailable("no answer to consume")))
    }

    /// A channel for a question, closed when it is dropped.
    pub async fn channel(&self) -> Result<Channel, QueueError> {
        let live = self.now().map_err(unavailable)?;
        let opened = tokio::time::timeout(STEP, live.connection.create_channel()).await;
        let opened = opened.map_err(|_| unavailable("no answer to a new channel"))?;
        opened.map_err(|error| failed("open a channel", error))
    }
}

/// A consumer on a channel of its own. Closing the channel, which dropping it does too, puts what is unacknowledged back where
/// it was. A mere cancel would not: then the next consumer gets later messages before those.
pub(super) struct Subscription {
    channel: Channel,
    deliveries: lapin::Consumer,
}

impl Subscription {
    async fn open(connection: &Connection, queue: ShortString, prefetch: u16) -> Result<Self, QueueError> {
        let channel = connection.create_channel().await.map_err(|error| failed("open a channel", error))?;
        // Bounds what the broker sends ahead, and so the memory here.
        let qos = channel.basic_qos(prefetch, BasicQosOptions::default()).await;
        qos.map_err(|error| failed("set the prefetch", error))?;
        let options = BasicConsumeOptions::default();
        let deliveries = channel.basic_consume(queue, "".into(), options, FieldTable::default()).await;
        let deliveries = deliveries.map_err(|error| failed("consume", error))?;
        Ok(Self { channel, deliveries })
    }

    /// The next message. Cancel-safe.
    pub async fn next(&mut self) -> Result<lapin::message::Delivery, QueueError> {
        taken(self.deliveries.next().await)
    }

    /// The next message if it is there already.
    pub fn try_next(&mut self) -> Option<Result<lapin::message::Delivery, QueueError>> {
        self.deliveries.next().now_or_never().map(taken)
    }

    /// Acknowledges one message, or it and all before it.
    pub async fn acknowledge(&self, tag: u64, multiple: bool) -> Result<(), QueueError> {
        if tag == 0 {
            // AMQP takes it for "everything that was delivered".
            return Ok(());
        }
        let acknowledged = self.channel.basic_ack(tag, BasicAckOptions { multiple }).await;
        acknowledged.map_err(|error| QueueError::ConsumerGone { message: error.to_string() })
    }

    /// The channel, for acknowledging while somebody else waits for the next message.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Resolves when the broker has taken everything back, or does not answer.
    pub async fn close(self) {
        let closed = self.channel.close(200, "closed".into());
        // Either way the channel is of no more use, and a lost one needs no closing.
        let _ = tokio::time::timeout(STEP, closed).await;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // The first poll writes the frame; nobody needs the answer. The library's consumer, dropped after this, would cancel
        // first and close then.
        let _ = self.channel.close(200, "dropped".into()).now_or_never();
    }
}

fn taken(
    next: Option<Result<lapin::message::Delivery, lapin::Error>>,
) -> Result<lapin::message::Delivery, QueueError> {
    match next {
        Some(Ok(delivery)) => Ok(delivery),
        Some(Err(error)) => Err(QueueError::ConsumerGone { message: error.to_string() }),
        None => Err(QueueError::ConsumerGone {
            message: "cancelled by the broker, or its channel is closed".into(),
        }),
    }
}

/// The consumer of a partition.
pub(super) struct RabbitConsumer {
    subscription: Subscription,
    held: Held,
}

impl RabbitConsumer {
    /// `held` counts what the consumers of this process took and did not acknowledge.
    pub fn new(subscription: Subscription, held: Arc<AtomicU64>) -> Self {
        Self { subscription, held: Held { all: held, taken: 0, acknowledged: 0 } }
    }
}

/// What one consumer holds: the tags of a channel are 1, 2, 3, …
struct Held {
    all: Arc<AtomicU64>,
    /// The last tag that was taken,
    taken: u64,
    /// and the last that was acknowledged.
    acknowledged: u64,
}

impl Held {
    fn take(&mut self, tag: u64) {
        self.all.fetch_add(tag.saturating_sub(self.taken), Ordering::Relaxed);
        self.taken = self.taken.max(tag);
    }

    fn acknowledge(&mut self, through: u64) {
        let through = through.min(self.taken);
        self.all.fetch_sub(through.saturating_sub(self.acknowledged), Ordering::Relaxed);
        self.acknowledged = self.acknowledged.max(through);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.acknowledge(self.taken);
    }
}

#[async_trait]
impl Consumer for RabbitConsumer {
    async fn receive(&mut self, rows: usize) -> Result<Vec<Delivery>, QueueError> {
        let first = self.subscription.next().await?;
        // No await from here on, so that nothing that was taken can be lost.
        let mut taken = Vec::new();
        let mut entries = 0;
        let mut next = Some(Ok(first));
        while let Some(message) = next {
            let delivery = delivery(message?);
            self.held.take(delivery.tag);
            entries += delivery.payload.as_ref().map_or(1, |batch| batch.entries().len());
            taken.push(delivery);
            if entries >= rows {
                break;
            }
            next = self.subscription.try_next();
        }
        Ok(taken)
    }

    async fn acknowledge(&mut self, through: u64) -> Result<(), QueueError> {
        self.subscription.acknowledge(through, true).await?;
        self.held.acknowledge(through);
        Ok(())
    }

    async fn close(self: Box<Self>) {
        self.subscription.close().await;
    }
}

fn delivery(message: lapin::message::Delivery) -> Delivery {
    let payload =
        Batch::decode(&message.data).map_err(|error| Poison { bytes: Bytes::from(message.data), error });
    Delivery { tag: message.delivery_tag, redelivered: message.redelivered, payload }
}
