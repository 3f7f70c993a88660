//! A queue of one test on a broker that others use too, or on one that it breaks.

use std::num::NonZeroU16;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::protocol::BasicProperties;
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties};
use tidings::config::{self, Secret};
use tidings::queue::Partitions;
use tidings::queue::rabbitmq::{RabbitQueue, Settings, State};
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use uuid::Uuid;

use crate::support::stack::{RabbitMq, Stack, Wanted};

/// The installation of one test: its own prefix.
pub struct Rig {
    pub partitions: Partitions,
    pub rabbitmq: config::RabbitMq,
    pub queue: config::Queue,
}

impl Rig {
    pub async fn shared(change: impl FnOnce(&mut config::Queue)) -> Self {
        Self::on(Stack::shared_rabbitmq().await, change)
    }

    pub fn on(broker: &RabbitMq, change: impl FnOnce(&mut config::Queue)) -> Self {
        let rabbitmq = config::RabbitMq {
            url: Some(Secret::new(broker.url())),
            ca_file: None,
            // A machine that runs all tests at once may be silent for seconds.
            heartbeat: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            reconnect_max: Duration::from_millis(500),
            prefix: format!("test-{}", Uuid::new_v4().simple()),
        };
        let mut queue =
            config::Queue { partitions: 2, max_length_bytes: 1 << 20, delivery_limit: 20, prefetch: 64 };
        change(&mut queue);
        let partitions = Partitions::new(NonZeroU16::new(queue.partitions).unwrap());
        Self { partitions, rabbitmq, queue }
    }

    /// One more process of this installation, connected.
    pub async fn connect(&self) -> RabbitQueue {
        let queue = self.begin_to_connect();
        connected(&queue).await;
        queue
    }

    pub fn begin_to_connect(&self) -> RabbitQueue {
        RabbitQueue::connect(Settings::new(&self.rabbitmq, &self.queue).unwrap(), self.partitions)
    }

    pub fn name(&self, part: &str) -> String {
        format!("{}.{part}", self.rabbitmq.prefix)
    }

    /// A channel of somebody else.
    pub async fn channel(&self) -> Channel {
        let url = self.rabbitmq.url.as_ref().unwrap().expose();
        let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
        // It keeps its connection.
        connection.create_channel().await.unwrap()
    }

    pub async fn delete(&self, part: &str) {
        let channel = self.channel().await;
        channel.queue_delete(self.name(part).into(), QueueDeleteOptions::default()).await.unwrap();
    }

    /// Publishes something that is not ours.
    pub async fn put(&self, part: &str, payload: &[u8]) {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let channel = self.channel().await;
        let name = self.name(part).into();
        channel.basic_publish("".into(), name, options, payload, properties).await.unwrap();
        channel.close(200, "done".into()).await.unwrap();
    }

    /// What waits in a queue, or `None` when it is not there.
    pub async fn ready(&self, part: &str) -> Option<u32> {
        let passive = QueueDeclareOptions::durable().passive();
        let channel = self.channel().await;
        let queue = channel.queue_declare(self.name(part).into(), passive, FieldTable::default()).await;
        queue.ok().map(|queue| queue.message_count())
    }
}

pub async fn connected(queue: &RabbitQueue) {
    until(queue, |state| *state == State::Connected).await;
}

/// Waits for a state; the test's deadline ends it.
pub async fn until(queue: &RabbitQueue, wanted: impl FnMut(&State) -> bool) {
    queue.state().wait_for(wanted).await.expect("the queue lives");
}

/// The broker that tests break, one after the other.
pub async fn broken_broker() -> MutexGuard<'static, Stack> {
    static BROKER: OnceCell<Mutex<Stack>> = OnceCell::const_new();
    let start = async || Mutex::new(Stack::private(&[Wanted::RabbitMq]).await);
    let broker = BROKER.get_or_init(start).await.lock().await;
    broker.rabbitmq().heal().await;
    broker
}
