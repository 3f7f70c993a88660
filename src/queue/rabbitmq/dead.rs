//! The dead-letter queue, for an operator.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;

use super::consume::Subscription;
use super::error::from_publish;
use super::publish::{Message, Way};
use super::{RabbitQueue, letter};
use crate::model::Timestamp;
use crate::queue::{DeadLetter, DeadLetters, LetterId, PublishError, QueueError, Replayed};

/// Letters that are held at a time, so that a long queue does not fill our memory.
const WINDOW: u16 = 1000;

/// The broker sends what is there without a pause; after this it has no more for us. Somebody else may hold some just now.
const QUIET: Duration = Duration::from_secs(2);

/// Between two looks at how many letters are back.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Lists and replays see what nobody else looks at in the same moment.
#[async_trait]
impl DeadLetters for RabbitQueue {
    async fn bury(&self, payload: Bytes, reason: &str, source: &str) -> Result<(), QueueError> {
        let mut message = Message::new(self.topology.dead(), payload);
        message.headers = letter::headers(reason, source, Timestamp::now());
        self.publishing.publish(Way::Other, message).await.map_err(from_publish)
    }

    /// At most 1000.
    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, QueueError> {
        let limit = u16::try_from(limit).unwrap_or(WINDOW).min(WINDOW);
        let mut letters = Vec::new();
        let Some(mut browse) = self.browse(limit).await? else { return Ok(letters) };
        while letters.len() < usize::from(limit) {
            let Some(message) = browse.next().await? else { break };
            letters.push(letter::read(message, &self.topology));
        }
        self.put_back(browse, letters.len()).await?;
        Ok(letters)
    }

    /// Looks as far as the 1000th of those that are left. A letter whose queue is full or unknown is left.
    async fn replay(&self, ids: &[LetterId]) -> Result<Replayed, QueueError> {
        let mut wanted: HashSet<&LetterId> = ids.iter().collect();
        let mut replayed = 0;
        let Some(mut browse) = self.browse(WINDOW).await? else { return Ok(Replayed::default()) };
        let total = browse.expected;
        while let Some(message) = browse.next().await? {
            let tag = message.delivery_tag;
            let letter = letter::read(message, &self.topology);
            if !ids.is_empty() && !wanted.remove(&letter.id) {
                continue;
            }
            if self.send_again(letter).await? {
                // Only now: killed before it, the letter is replayed once more.
                browse.subscription.acknowledge(tag, false).await?;
                replayed += 1;
            }
            if !ids.is_empty() && wanted.is_empty() {
                break;
            }
        }
        let left = browse.seen - replayed;
        self.put_back(browse, left).await?;
        Ok(Replayed { replayed, left: total.saturating_sub(replayed) })
    }
}

impl RabbitQueue {
    /// Publishes a letter to where it came from; whether it is there now.
    async fn send_again(&self, letter: DeadLetter) -> Result<bool, QueueError> {
        let Some(queue) = self.topology.queue_of(&letter.source) else {
            tracing::warn!(letter.source, letter.id = letter.id.0, "queue.replay: there is no such queue");
            return Ok(false);
        };
        match self.publishing.publish(Way::Other, Message::new(queue, letter.payload)).await {
            Ok(()) => Ok(true),
            Err(error @ (PublishError::Nacked | PublishError::Returned { .. })) => {
                tracing::warn!(%error, letter.source, letter.id = letter.id.0, "queue.replay");
                Ok(false)
            }
            Err(error) => Err(from_publish(error)),
        }
    }

    /// Closes the channel, which puts what it holds back where it was, and waits until it is there: the broker does it after it
    /// has answered, and who looks again at once would see nothing.
    async fn put_back(&self, browse: Browse, held: usize) -> Result<(), QueueError> {
        browse.subscription.close().await;
        let channel = self.consuming.channel().await?;
        let begun = Instant::now();
        // Somebody else may have taken them: then it is over, too.
        while begun.elapsed() < QUIET && self.ready(&channel, self.topology.dead()).await? < held as u64 {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    /// `None` when there is nothing to see.
    async fn browse(&self, window: u16) -> Result<Option<Browse>, QueueError> {
        let queue = self.topology.dead();
        let channel = self.consuming.channel().await?;
        let ready = self.ready(&channel, queue.clone()).await?;
        if ready == 0 || window == 0 {
            return Ok(None);
        }
        let expected = usize::try_from(ready).unwrap_or(usize::MAX);
        let subscription = self.consuming.consume(queue, window).await?;
        Ok(Some(Browse { subscription, expected, seen: 0 }))
    }
}

/// Reads the dead letters that were there at its begin, oldest first. One consumer, since what several hold does not come back
/// in order.
struct Browse {
    subscription: Subscription,
    expected: usize,
    seen: usize,
}

impl Browse {
    async fn next(&mut self) -> Result<Option<lapin::message::Delivery>, QueueError> {
        if self.seen == self.expected {
            return Ok(None);
        }
        match tokio::time::timeout(QUIET, self.subscription.next()).await {
            Ok(message) => {
                self.seen += 1;
                message.map(Some)
            }
            Err(_) => Ok(None),
        }
    }
}
