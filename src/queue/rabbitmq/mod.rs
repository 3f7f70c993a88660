//! The queue on RabbitMQ, 3.10 or later.
//!
//! Two connections, one that publishes and one that consumes, because a broker alarm blocks the connections that publish. Both
//! come back by themselves, and declare everything that this process uses before they count as connected.

mod backoff;
mod consume;
mod dead;
mod error;
mod letter;
mod link;
mod open;
mod publish;
mod push;
mod settings;
mod state;
mod topology;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use lapin::options::QueueDeclareOptions;
use lapin::types::{FieldTable, ShortString};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use settings::{Settings, SettingsError};
pub use state::State;
pub use topology::PUSH_WAITS;

use self::consume::{Consuming, RabbitConsumer, STEP};
use self::error::{failed, from_publish, unavailable};
use self::link::Link;
use self::publish::{Message, Publishing, Way};
use self::state::Board;
use self::topology::Topology;
use super::{Batch, Consumer, Depth, Partition, Partitions, PublishError, PushLane, Queue, QueueError};

/// The broker, as gateways, workers and the push stage use it. Dropped, its connections close.
pub struct RabbitQueue {
    publishing: Arc<Link<Publishing>>,
    consuming: Link<Consuming>,
    topology: Arc<Topology>,
    board: Arc<Board>,
    prefetch: u16,
    /// Messages that consumers of this process took and have not acknowledged.
    held: Arc<AtomicU64>,
    /// By lane: jobs that consumers of this process took and have not acknowledged.
    pushes: [push::InHand; PushLane::ALL.len()],
    /// Push consumers so far, each of which has a number.
    consumers: AtomicU64,
    _stop: DropGuard,
}

impl RabbitQueue {
    /// Begins to connect in the background: the broker need not be up. Needs a Tokio runtime.
    pub fn connect(settings: Settings, partitions: Partitions) -> Self {
        let prefetch = settings.prefetch;
        let topology = Arc::new(Topology::new(&settings, partitions));
        let (settings, board) = (Arc::new(settings), Arc::new(Board::new()));
        let stop = CancellationToken::new();
        Self {
            publishing: Arc::new(Link::start(
                settings.clone(),
                topology.clone(),
                board.clone(),
                stop.clone(),
            )),
            consuming: Link::start(settings, topology.clone(), board.clone(), stop.clone()),
            topology,
            board,
            prefetch,
            held: Arc::default(),
            pushes: Default::default(),
            consumers: AtomicU64::default(),
            _stop: stop.drop_guard(),
        }
    }

    /// How the connections are now, and every change.
    pub fn state(&self) -> watch::Receiver<State> {
        self.board.watch()
    }

    /// Whether the broker answers and takes messages now.
    ///
    /// # Errors
    /// Not connected, no answer, or an alarm of the broker.
    pub async fn check(&self) -> Result<(), QueueError> {
        self.ping().await?;
        let nowhere = self.topology.name("nowhere");
        self.publishing.probe(nowhere).await.map_err(from_publish)
    }

    /// Declares the queues of the push stage, now and after every reconnect.
    ///
    /// # Errors
    /// Not connected: then they are declared as soon as it is.
    pub async fn declare_push(&self) -> Result<(), QueueError> {
        self.topology.with_push();
        let live = self.consuming.now().map_err(unavailable)?;
        self.topology.declare(link::Use::connection(&*live)).await
    }

    /// What waits in a queue.
    async fn ready(&self, channel: &lapin::Channel, queue: ShortString) -> Result<u64, QueueError> {
        let passive = QueueDeclareOptions::durable().passive();
        let asked = channel.queue_declare(queue.clone(), passive, FieldTable::default());
        let answer =
            tokio::time::timeout(STEP, asked).await.map_err(|_| unavailable("no answer to depths"))?;
        let answer = answer.map_err(|error| failed(&format!("depth of {queue}"), error))?;
        Ok(answer.message_count().into())
    }
}

#[async_trait]
impl Queue for RabbitQueue {
    async fn publish(&self, partition: Partition, batch: Batch) -> Result<(), PublishError> {
        let message = Message::new(self.topology.inbound(partition), batch.encode());
        self.publishing.publish(Way::Inbound(partition), message).await
    }

    async fn consume(&self, partition: Partition) -> Result<Box<dyn Consumer>, QueueError> {
        let subscription = self.consuming.consume(self.topology.inbound(partition), self.prefetch).await?;
        Ok(Box::new(RabbitConsumer::new(subscription, Arc::clone(&self.held))))
    }

    async fn ping(&self) -> Result<(), QueueError> {
        self.publishing.connected().await?;
        self.consuming.connected().await?;
        // An answer, not just a socket that looks open.
        self.consuming.channel().await?;
        // An alarm lets consumers go on and publishers wait, and that is no queue that can be used.
        self.publishing.now().map(drop).map_err(unavailable)
    }

    async fn depths(&self) -> Result<Vec<Depth>, QueueError> {
        let channel = self.consuming.channel().await?;
        let mut inbound = 0;
        for partition in self.topology.partitions().all() {
            inbound += self.ready(&channel, self.topology.inbound(partition)).await?;
        }
        let depth =
            |queue: &str, ready| Depth { queue: queue.to_owned(), ready, unacknowledged: 0, oldest: None };
        let held = self.held.load(Ordering::Relaxed);
        let mut depths = vec![Depth { unacknowledged: held, ..depth("inbound", inbound) }];
        depths.push(depth("dead", self.ready(&channel, self.topology.dead()).await?));
        if self.topology.has_push() {
            for lane in PushLane::ALL {
                let ready = self.ready(&channel, self.topology.name(lane.queue())).await?;
                let held = &self.pushes[lane.index()];
                depths.push(Depth {
                    unacknowledged: held.held() as u64,
                    oldest: Some(held.oldest()),
                    ..depth(lane.label(), ready)
                });
            }
            let mut waiting = 0;
            for (queue, _) in PUSH_WAITS {
                waiting += self.ready(&channel, self.topology.name(queue)).await?;
            }
            depths.push(depth("push_wait", waiting));
        }
        Ok(depths)
    }
}
