//! The queues and exchanges, and why each has the arguments that it has.
//!
//! Every queue is a durable quorum queue. Declaring is idempotent and done on every connection, so that a broker that lost its
//! data, or a queue that somebody deleted, is whole again after a reconnect. Accepted by RabbitMQ 3.10 and later.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{Channel, Connection, ErrorKind, ExchangeKind};

use super::Settings;
use super::error::{failed, unavailable};
use crate::model::Timestamp;
use crate::queue::{Partition, Partitions, PushLane, QueueError};

/// The names of an installation's queues, and how they are made.
pub(super) struct Topology {
    prefix: String,
    partitions: Partitions,
    max_length_bytes: usize,
    delivery_limit: u32,
    /// Whether this process is of the push stage; set once, for every later connection too.
    push: AtomicBool,
}

/// Where pushes wait: one fixed time-to-live a queue, since a queue only looks at its head, so that one message's longer time
/// would hold up all behind it. Longer waits hop.
pub const PUSH_WAITS: [(&str, Duration); 5] = [
    ("push.wait.200ms", Duration::from_millis(200)),
    ("push.wait.1s", Duration::from_secs(1)),
    ("push.wait.10s", Duration::from_secs(10)),
    ("push.wait.1m", Duration::from_secs(60)),
    ("push.wait.10m", Duration::from_secs(600)),
];

/// The queue in which a job waits next: the longest wait that does not take it past its time, or not much; the shortest
/// at least. `None` when its time has come.
pub(super) fn wait_for(due: Timestamp, now: Timestamp) -> Option<&'static str> {
    let left = due.since(now);
    if left.is_zero() {
        return None;
    }
    let fits = |wait: Duration| wait <= left + left / 20;
    let longest = PUSH_WAITS.iter().rev().find(|(_, wait)| fits(*wait));
    Some(longest.unwrap_or(&PUSH_WAITS[0]).0)
}

/// Deliveries of a dead letter, which looking at it counts too. Never reached; but without any limit RabbitMQ 4 sets its own,
/// 20, and drops the letter then, and it would put what is returned behind the others instead of where it was.
const UNLIMITED: u32 = 1_000_000_000;

/// What becomes of what a queue gives up.
enum GivenUp<'a> {
    /// To the dead letters.
    Dead,
    /// To this queue.
    To(&'a str),
    /// Nothing is given up here.
    Never,
}

impl Topology {
    pub fn new(settings: &Settings, partitions: Partitions) -> Self {
        Self {
            prefix: settings.prefix.clone(),
            partitions,
            max_length_bytes: settings.max_length_bytes,
            delivery_limit: settings.delivery_limit,
            push: AtomicBool::new(false),
        }
    }

    pub fn partitions(&self) -> Partitions {
        self.partitions
    }

    pub fn inbound(&self, partition: Partition) -> ShortString {
        self.name(&format!("inbound.{partition}"))
    }

    pub fn dead(&self) -> ShortString {
        self.name("dead")
    }

    /// A queue by the part of its name that is ours, such as `push.work`.
    pub fn name(&self, part: &str) -> ShortString {
        format!("{}.{part}", self.prefix).into()
    }

    /// The part of a queue's name that is ours; of an inbound queue its partition, as the dead letters name it.
    pub fn source_of(&self, queue: &str) -> Option<String> {
        let part = queue.strip_prefix(&self.prefix)?.strip_prefix('.')?;
        Some(part.strip_prefix("inbound.").unwrap_or(part).to_owned())
    }

    /// Where a dead letter's source takes it back; `None` when there is no such queue.
    pub fn queue_of(&self, source: &str) -> Option<ShortString> {
        let partition = self.partitions.all().find(|partition| partition.to_string() == source);
        let push = || PushLane::of_queue(source).map(|lane| self.name(lane.queue()));
        partition.map(|partition| self.inbound(partition)).or_else(push)
    }

    /// From now on the push stage's queues are declared too.
    pub fn with_push(&self) {
        self.push.store(true, Ordering::Relaxed);
    }

    pub fn has_push(&self) -> bool {
        self.push.load(Ordering::Relaxed)
    }

    /// Declares everything that this process uses.
    pub async fn declare(&self, connection: &Connection) -> Result<(), QueueError> {
        let mut declare = Declare::new(self, connection).await?;
        declare.dead_letters().await?;
        for partition in self.partitions.all() {
            let mut arguments = self.arguments(&GivenUp::Dead);
            // One writer a conversation: the next consumer gets nothing before the one before it is gone.
            arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
            declare.queue(self.inbound(partition), arguments).await?;
        }
        if self.has_push() {
            self.declare_push(&mut declare).await?;
        }
        declare.finish().await
    }

    async fn declare_push(&self, declare: &mut Declare<'_>) -> Result<(), QueueError> {
        for lane in PushLane::ALL {
            declare.queue(self.name(lane.queue()), self.arguments(&GivenUp::Dead)).await?;
        }
        let work = self.name(PushLane::Work.queue());
        for (queue, wait) in PUSH_WAITS {
            let mut arguments = self.arguments(&GivenUp::To(work.as_str()));
            let millis = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
            arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(millis));
            declare.queue(self.name(queue), arguments).await?;
        }
        Ok(())
    }

    fn arguments(&self, given_up: &GivenUp<'_>) -> FieldTable {
        let mut arguments = FieldTable::default();
        let mut set = |name: &str, value: AMQPValue| {
            arguments.insert(name.into(), value);
        };
        let text = |text: &str| AMQPValue::LongString(LongString::from(text));
        // Replicated, and on disk before it is confirmed.
        set("x-queue-type", text("quorum"));
        // Leaders on all nodes of a cluster, not all on the one that was up first.
        set("x-queue-leader-locator", text("balanced"));
        // Bounded; when it is full the publisher gets a nack, and nothing that was confirmed is dropped.
        let bytes = i64::try_from(self.max_length_bytes).unwrap_or(i64::MAX);
        set("x-max-length-bytes", AMQPValue::LongLongInt(bytes));
        set("x-overflow", text("reject-publish"));
        let limit = match given_up {
            GivenUp::Never => UNLIMITED,
            _ => self.delivery_limit,
        };
        // What kills its consumer again and again is set aside.
        set("x-delivery-limit", AMQPValue::LongLongInt(limit.into()));
        let exchange = match given_up {
            GivenUp::Never => return arguments,
            GivenUp::Dead => self.dead_letter_exchange().to_string(),
            GivenUp::To(queue) => {
                set("x-dead-letter-routing-key", text(queue));
                String::new()
            }
        };
        set("x-dead-letter-exchange", text(&exchange));
        // Kept here until the other queue has confirmed it; the default loses it when that queue is away. It needs
        // `reject-publish`.
        set("x-dead-letter-strategy", text("at-least-once"));
        arguments
    }

    fn dead_letter_exchange(&self) -> ShortString {
        self.name("dead-letters")
    }
}

/// One round of declarations.
struct Declare<'a> {
    topology: &'a Topology,
    connection: &'a Connection,
    channel: Channel,
}

/// Arguments that an operator may change and a queue that is there cannot: it is used as it is.
const FIXED_AT_BIRTH: [&str; 2] = ["x-max-length-bytes", "x-delivery-limit"];

/// Time to declare one queue: a new one elects a leader, on a busy cluster within seconds.
const ONE_QUEUE: Duration = Duration::from_secs(30);

impl<'a> Declare<'a> {
    async fn new(topology: &'a Topology, connection: &'a Connection) -> Result<Self, QueueError> {
        let channel = connection.create_channel().await.map_err(|error| failed("open a channel", error))?;
        Ok(Self { topology, connection, channel })
    }

    /// The exchange and the queue behind it.
    async fn dead_letters(&mut self) -> Result<(), QueueError> {
        let exchange = self.topology.dead_letter_exchange();
        // Fanout: a letter comes with the routing key of the queue that gave it up.
        let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
        self.channel
            .exchange_declare(exchange.clone(), ExchangeKind::Fanout, durable, FieldTable::default())
            .await
            .map_err(|error| failed("declare the dead-letter exchange", error))?;
        let dead = self.topology.dead();
        self.queue(dead.clone(), self.topology.arguments(&GivenUp::Never)).await?;
        self.channel
            .queue_bind(dead, exchange, "".into(), QueueBindOptions::default(), FieldTable::default())
            .await
            .map_err(|error| failed("bind the dead-letter queue", error))
    }

    async fn queue(&mut self, name: ShortString, arguments: FieldTable) -> Result<(), QueueError> {
        let declared = self.channel.queue_declare(name.clone(), QueueDeclareOptions::durable(), arguments);
        let declared = tokio::time::timeout(ONE_QUEUE, declared).await;
        let declared =
            declared.map_err(|_| unavailable(format!("declare {name}: no answer in {ONE_QUEUE:?}")))?;
        let Err(error) = declared else { return Ok(()) };
        let reason = error.to_string();
        let differs_in_a_limit = matches!(error.kind(), ErrorKind::ProtocolError(_))
            && FIXED_AT_BIRTH.iter().any(|argument| reason.contains(&format!("'{argument}'")));
        if !differs_in_a_limit {
            return Err(failed(&format!("declare {name}"), error));
        }
        tracing::warn!(queue = %name, %reason, "queue.declare: the queue keeps the limits it was made with");
        // The refusal closed the channel.
        let reopened = self.connection.create_channel().await;
        self.channel = reopened.map_err(|error| failed("open a channel", error))?;
        Ok(())
    }

    async fn finish(self) -> Result<(), QueueError> {
        self.channel.close(200, "declared".into()).await.map_err(|error| failed("close a channel", error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_waits_in_the_longest_queue_that_does_not_make_it_late() {
        let wait = |millis: i64| {
            wait_for(Timestamp::from_millis(1_000_000 + millis), Timestamp::from_millis(1_000_000))
        };
        assert_eq!(wait(0), None);
        assert_eq!(wait(-5), None);
        assert_eq!(wait(30), Some("push.wait.200ms"));
        assert_eq!(wait(960), Some("push.wait.1s"));
        assert_eq!(wait(900), Some("push.wait.200ms"));
        assert_eq!(wait(10_000), Some("push.wait.10s"));
        assert_eq!(wait(59_000), Some("push.wait.1m"));
        assert_eq!(wait(50_000), Some("push.wait.10s"));
        assert_eq!(wait(86_400_000), Some("push.wait.10m"));
    }
}
