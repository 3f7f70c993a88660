//! Port: the jobs of the push stage, which have to wait, to be retried, and to survive the death of any process.

use async_trait::async_trait;
use bytes::Bytes;

use super::{PublishError, QueueError};
use crate::model::Timestamp;

/// Where a job is worked on: decided, or handed to one provider. A lane each, so that a sick provider starves nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PushLane {
    Work,
    Apns,
    Fcm,
    Webpush,
    Log,
}

impl PushLane {
    pub const ALL: [Self; 5] = [Self::Work, Self::Apns, Self::Fcm, Self::Webpush, Self::Log];

    /// The lanes that end at a provider.
    pub const PROVIDERS: [Self; 4] = [Self::Apns, Self::Fcm, Self::Webpush, Self::Log];

    /// The queue's name without an installation's prefix, as dead letters tell where they are from.
    pub const fn queue(self) -> &'static str {
        match self {
            Self::Work => "push.work",
            Self::Apns => "push.apns",
            Self::Fcm => "push.fcm",
            Self::Webpush => "push.webpush",
            Self::Log => "push.log",
        }
    }

    /// The queue's label in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Work => "push",
            Self::Apns => "push_apns",
            Self::Fcm => "push_fcm",
            Self::Webpush => "push_webpush",
            Self::Log => "push_log",
        }
    }

    /// The lane whose queue is called so.
    pub fn of_queue(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.queue() == name)
    }

    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

/// A job on its way: bytes that only the push stage understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushJob {
    pub lane: PushLane,
    /// It comes to its lane no earlier than this; `None`: at once.
    pub due: Option<Timestamp>,
    pub payload: Bytes,
}

/// A job that a consumer got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushDelivery {
    /// Names it towards this consumer.
    pub tag: u64,
    /// Delivered before, to a consumer that did not acknowledge it.
    pub redelivered: bool,
    pub payload: Bytes,
}

/// Keeps the jobs of the push stage. Jobs of a lane come in no particular order.
#[async_trait]
pub trait PushQueue: Send + Sync + 'static {
    /// Puts jobs and returns once all of them survive the death of any one process.
    ///
    /// # Errors
    /// None of them says that no job was put: some may be delivered all the same. [`PublishError::Nacked`]: it is full.
    async fn put(&self, jobs: Vec<PushJob>) -> Result<(), PublishError>;

    /// A consumer of a lane; several share it. At most `prefetch` jobs are delivered and not acknowledged.
    async fn consume_push(&self, lane: PushLane, prefetch: u16) -> Result<Box<dyn PushConsumer>, QueueError>;
}

/// One of the consumers of a lane. Dropped, what it did not acknowledge goes to another one.
#[async_trait]
pub trait PushConsumer: Send {
    /// Waits for at least one job and takes those that are there, up to `most`. Cancel-safe.
    ///
    /// # Errors
    /// The consumer is lost; a new one is needed.
    async fn receive(&mut self, most: usize) -> Result<Vec<PushDelivery>, QueueError>;

    /// Acknowledges these jobs, in any order.
    async fn acknowledge(&mut self, tags: &[u64]) -> Result<(), QueueError>;
}
