//! The jobs of the push stage. A job that has to wait goes into a queue whose messages all live equally long, and falls out of it
//! into `push.work`; its consumers send it on: to the next wait, or to its lane.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::BasicAckOptions;
use lapin::types::{AMQPValue, FieldTable, LongString};

use super::RabbitQueue;
use super::consume::Subscription;
use super::link::Link;
use super::publish::{Message, PUSHES_AT_ONCE, Publishing, Way};
use super::topology::{Topology, wait_for};
use crate::model::Timestamp;
use crate::queue::{
    PublishError, PushConsumer, PushDelivery, PushJob, PushLane, PushQueue, QueueError, Waiting,
};

/// Where a job that waits goes in the end, and when, in milliseconds since 1970.
const LANE: &str = "x-tidings-lane";
const DUE: &str = "x-tidings-due";

/// Since when it could be worked on, in milliseconds since 1970.
const SINCE: &str = "x-tidings-since";

/// What push consumers of this process took, by the consumer's number and the delivery's tag.
pub(super) type InHand = Waiting<(u64, u64)>;

/// Before a job that could not be sent on is tried again.
const PAUSE: Duration = Duration::from_millis(500);

#[async_trait]
impl PushQueue for RabbitQueue {
    async fn put(&self, jobs: Vec<PushJob>) -> Result<(), PublishError> {
        let now = Timestamp::now();
        let messages = jobs.into_iter().map(|job| message(&self.topology, job, now));
        let put = messages.map(|message| self.publishing.publish(Way::Push, message));
        stream::iter(put).map(Ok).try_for_each_concurrent(PUSHES_AT_ONCE, |put| put).await
    }

    async fn consume_push(&self, lane: PushLane, prefetch: u16) -> Result<Box<dyn PushConsumer>, QueueError> {
        let subscription = self.consuming.consume(self.topology.name(lane.queue()), prefetch).await?;
        let (publishing, topology) = (Arc::clone(&self.publishing), Arc::clone(&self.topology));
        let in_hand = self.pushes[lane.index()].clone();
        let number = self.consumers.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(RabbitPushConsumer { subscription, lane, publishing, topology, in_hand, number }))
    }
}

fn message(topology: &Topology, job: PushJob, now: Timestamp) -> Message {
    let since = job.due.unwrap_or(now);
    let mut message = match job.due.and_then(|due| Some((due, wait_for(due, now)?))) {
        None => Message::new(topology.name(job.lane.queue()), job.payload),
        Some((due, wait)) => {
            let mut message = Message::new(topology.name(wait), job.payload);
            let lane = AMQPValue::LongString(LongString::from(job.lane.queue()));
            message.headers.insert(LANE.into(), lane);
            message.headers.insert(DUE.into(), AMQPValue::LongLongInt(due.as_millis()));
            message
        }
    };
    message.headers.insert(SINCE.into(), AMQPValue::LongLongInt(since.as_millis()));
    message
}

struct RabbitPushConsumer {
    subscription: Subscription,
    lane: PushLane,
    publishing: Arc<Link<Publishing>>,
    topology: Arc<Topology>,
    in_hand: InHand,
    number: u64,
}

/// A message that is to go on: the tag to acknowledge then, and where it goes.
type Onward = (u64, PushJob);

#[async_trait]
impl PushConsumer for RabbitPushConsumer {
    async fn receive(&mut self, most: usize) -> Result<Vec<PushDelivery>, QueueError> {
        loop {
            let first = self.subscription.next().await?;
            // No await from here on, so that nothing that was taken can be lost.
            let (mut taken, mut onward) = (Vec::new(), Vec::new());
            let mut next = Some(Ok(first));
            while let Some(message) = next {
                let message = match message {
                    Ok(message) => message,
                    Err(error) => {
                        self.send_on(onward);
                        return Err(error);
                    }
                };
                match self.sort(message) {
                    Ok(delivery) => taken.push(delivery),
                    Err(job) => onward.push(job),
                }
                let full = taken.len() >= most || onward.len() >= most;
                next = if full { None } else { self.subscription.try_next() };
            }
            self.send_on(onward);
            if !taken.is_empty() {
                return Ok(taken);
            }
        }
    }

    async fn acknowledge(&mut self, tags: &[u64]) -> Result<(), QueueError> {
        for tag in tags {
            self.subscription.acknowledge(*tag, false).await?;
            self.in_hand.done(&(self.number, *tag));
        }
        Ok(())
    }
}

impl Drop for RabbitPushConsumer {
    fn drop(&mut self) {
        self.in_hand.left(|(consumer, _)| *consumer == self.number);
    }
}

impl RabbitPushConsumer {
    /// Whether a message is for this lane now, or goes on.
    fn sort(&self, message: Delivery) -> Result<PushDelivery, Onward> {
        let headers = message.properties.headers().as_ref();
        let lane = headers.and_then(lane).unwrap_or(self.lane);
        let due = headers.and_then(|headers| time(headers, DUE));
        let now = Timestamp::now();
        let (tag, payload) = (message.delivery_tag, Bytes::from(message.data));
        if lane == self.lane && due.is_none_or(|due| wait_for(due, now).is_none()) {
            let since = headers.and_then(|headers| time(headers, SINCE)).unwrap_or(now);
            self.in_hand.took((self.number, tag), since);
            return Ok(PushDelivery { tag, redelivered: message.redelivered, payload });
        }
        Err((tag, PushJob { lane, due, payload }))
    }

    /// Sends jobs on and acknowledges each then, in a task of its own: whoever gives a receive up must not send one twice.
    fn send_on(&self, jobs: Vec<Onward>) {
        if jobs.is_empty() {
            return;
        }
        let (channel, topology) = (self.subscription.channel(), Arc::clone(&self.topology));
        let publishing = Arc::clone(&self.publishing);
        tokio::spawn(async move {
            let each = |(tag, job)| send_on(&channel, &publishing, &topology, tag, job);
            stream::iter(jobs).for_each_concurrent(PUSHES_AT_ONCE, each).await;
        });
    }
}

/// Goes on trying as long as the channel lives; the next consumer gets what is left.
async fn send_on(
    channel: &Channel,
    publishing: &Link<Publishing>,
    topology: &Topology,
    tag: u64,
    job: PushJob,
) {
    while channel.status().connected() {
        let sent = publishing.publish(Way::Push, message(topology, job.clone(), Timestamp::now())).await;
        match sent {
            Ok(()) => {
                if let Err(error) = channel.basic_ack(tag, BasicAckOptions { multiple: false }).await {
                    tracing::debug!(%error, "queue.push_sent_on: it will be sent on again");
                }
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "queue.push_send_on");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn lane(headers: &FieldTable) -> Option<PushLane> {
    match headers.inner().get(LANE)? {
        AMQPValue::LongString(name) => PushLane::of_queue(&name.to_string()),
        _ => None,
    }
}

fn time(headers: &FieldTable, name: &str) -> Option<Timestamp> {
    match headers.inner().get(name)? {
        AMQPValue::LongLongInt(millis) => Some(Timestamp::from_millis(*millis)),
        _ => None,
    }
}
