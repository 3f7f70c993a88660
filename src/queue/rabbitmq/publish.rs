//! Publishing with confirms.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::protocol::BasicProperties;
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Confirmation, Connection};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::error::{failed, not_published};
use super::link::{Link, Use};
use super::state::Purpose;
use super::topology::Topology;
use crate::queue::{Partition, PublishError, QueueError};

/// The connection that publishes, on channels of its own: an alarm of the broker blocks the whole connection.
pub(super) struct Publishing {
    connection: Connection,
    /// One for each partition.
    inbound: Vec<Lane>,
    /// For jobs of the push stage, taken in turn.
    push: Vec<Lane>,
    next_push: AtomicUsize,
    /// For what is set aside and what is replayed.
    other: Lane,
}

/// Jobs of the push stage that are published at a time.
pub(super) const PUSHES_AT_ONCE: usize = 8;

/// A channel with one publish in flight at a time.
///
/// The client library gives a returned message to whichever confirm it completes next. With two in flight, as on a channel that
/// partitions share, a batch that no queue took could pass for confirmed. And what the broker has not confirmed is bounded so.
struct Lane {
    channel: Channel,
    turn: Arc<Semaphore>,
}

/// Which lane.
#[derive(Clone, Copy)]
pub(super) enum Way {
    Inbound(Partition),
    Push,
    Other,
}

/// What is published.
pub(super) struct Message {
    pub queue: ShortString,
    pub payload: Bytes,
    pub headers: FieldTable,
    /// Names it in the dead letters.
    pub id: Uuid,
    /// Without a queue it comes back instead of being confirmed and dropped.
    mandatory: bool,
}

impl Message {
    pub fn new(queue: ShortString, payload: Bytes) -> Self {
        Self { queue, payload, headers: FieldTable::default(), id: Uuid::now_v7(), mandatory: true }
    }
}

impl Use for Publishing {
    const PURPOSE: Purpose = Purpose::Publish;

    async fn prepare(connection: Connection, topology: &Topology) -> Result<Self, QueueError> {
        let mut inbound = Vec::new();
        for _ in topology.partitions().all() {
            inbound.push(Lane::open(&connection).await?);
        }
        let mut push = Vec::new();
        for _ in 0..PUSHES_AT_ONCE {
            push.push(Lane::open(&connection).await?);
        }
        let other = Lane::open(&connection).await?;
        Ok(Self { connection, inbound, push, next_push: AtomicUsize::new(0), other })
    }

    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn works(&self) -> bool {
        let mut lanes = self.inbound.iter().chain(&self.push).chain([&self.other]);
        self.connection.status().connected() && lanes.all(|lane| lane.channel.status().connected())
    }
}

impl Lane {
    async fn open(connection: &Connection) -> Result<Self, QueueError> {
        let channel = connection.create_channel().await.map_err(|error| failed("open a channel", error))?;
        let confirms = channel.confirm_select(ConfirmSelectOptions::default()).await;
        confirms.map_err(|error| failed("ask for confirms", error))?;
        Ok(Self { channel, turn: Arc::new(Semaphore::new(1)) })
    }
}

impl Publishing {
    fn lane(&self, way: Way) -> &Lane {
        match way {
            Way::Inbound(partition) => self.inbound.get(partition.index()).unwrap_or(&self.other),
            Way::Push => {
                let turn = self.next_push.fetch_add(1, Ordering::Relaxed) % PUSHES_AT_ONCE;
                self.push.get(turn).unwrap_or(&self.other)
            }
            Way::Other => &self.other,
        }
    }
}

impl Link<Publishing> {
    /// Publishes and waits for the confirm, as long as the caller does: dropped, it goes on in the background and keeps its lane
    /// until the broker has answered, so that answers are never mixed up.
    pub async fn publish(&self, way: Way, message: Message) -> Result<(), PublishError> {
        let live = self.now().map_err(not_published)?;
        let lane = live.lane(way);
        let sent = async {
            let turn = Arc::clone(&lane.turn).acquire_owned().await.map_err(not_published)?;
            let channel = lane.channel.clone();
            let sent = tokio::spawn(async move {
                let sent = send(&channel, message).await;
                drop(turn);
                sent
            });
            sent.await.map_err(not_published)?
        };
        let result = tokio::select! {
            biased;
            result = sent => result,
            reason = self.fails(&live) => Err(PublishError::Unavailable { reason }),
        };
        if matches!(result, Err(PublishError::Returned { .. })) {
            self.declare_again();
        }
        result
    }
}

impl Link<Publishing> {
    /// Publishes to `nowhere`, which is no queue, and waits for the broker's word. A broker tells of its alarms only who
    /// publishes, so without this an idle process would take a blocked broker for a good one.
    pub async fn probe(&self, nowhere: ShortString) -> Result<(), PublishError> {
        let message = Message { mandatory: false, ..Message::new(nowhere, Bytes::new()) };
        self.publish(Way::Other, message).await
    }
}

/// Two waits: for the frames to be written, and for the confirm.
async fn send(channel: &Channel, message: Message) -> Result<(), PublishError> {
    let properties = BasicProperties::default()
        .with_content_type("application/json".into())
        // Persistent.
        .with_delivery_mode(2)
        .with_message_id(message.id.to_string().into())
        .with_headers(message.headers);
    let options = BasicPublishOptions { mandatory: message.mandatory, immediate: false };
    // The default exchange: to the queue of that name.
    let written =
        channel.basic_publish("".into(), message.queue, options, &message.payload, properties).await;
    match written.map_err(not_published)?.await.map_err(not_published)? {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => {
            Err(PublishError::Returned { reason: returned.reply_text.to_string() })
        }
        Confirmation::Nack(None) => Err(PublishError::Nacked),
        Confirmation::NotRequested => Err(not_published("the channel does not confirm")),
    }
}
