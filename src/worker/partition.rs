//! The task of one partition: receive, persist, fan out, notify, acknowledge.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::fan_out::FanOut;
use super::notify::Notify;
use super::outcome;
use super::persist::{Pause, Persist, Persisted, Stopped, bury};
use crate::model::{EventBody, NewEntry, Timestamp};
use crate::queue::{Consumer, Delivery, Partition, Queue, QueueError, Waiting};
use crate::store::{Appended, Store};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{ConsumeResult, ConsumedQueue, DeadReason, Stage};

pub(super) struct Task {
    pub partition: Partition,
    pub queue: Arc<dyn Queue>,
    pub store: Arc<dyn Store>,
    pub fan_out: FanOut,
    pub notify: Notify,
    pub waiting: Waiting<Partition>,
    pub batch_rows: usize,
    /// Of one transaction.
    pub batch_bytes: usize,
    pub metrics: Arc<Metrics>,
    pub stop: CancellationToken,
}

/// A stored batch of which others are being told.
struct Telling<'a> {
    told: Pin<Box<dyn Future<Output = Result<(), Stopped>> + Send + 'a>>,
    /// What is acknowledged then; `None` when more of the same delivery follows.
    through: Option<u64>,
}

/// Resolves when all are told, and answers what is to be acknowledged; never when nothing is under way. Cancel-safe.
async fn told(telling: &mut Option<Telling<'_>>) -> Result<Option<u64>, Stopped> {
    match telling {
        None => std::future::pending().await,
        Some(one) => {
            let told = one.told.as_mut().await;
            let through = telling.take().and_then(|one| one.through);
            told.map(|()| through)
        }
    }
}

/// Why a consumer came to its end.
enum End {
    Stopped,
    Lost(QueueError),
}

impl From<Stopped> for End {
    fn from(Stopped: Stopped) -> Self {
        Self::Stopped
    }
}

impl From<QueueError> for End {
    fn from(error: QueueError) -> Self {
        Self::Lost(error)
    }
}

impl Task {
    /// Consumes until stopped; a lost consumer is replaced.
    pub async fn run(self) {
        let mut pause = Pause::new();
        while !self.stop.is_cancelled() {
            let consumer = tokio::select! {
                () = self.stop.cancelled() => return,
                consumer = self.queue.consume(self.partition) => consumer,
            };
            let end = match consumer {
                Ok(mut consumer) => {
                    pause = Pause::new();
                    let Err(end) = self.consume(&mut *consumer).await;
                    self.waiting.left(|partition| *partition == self.partition);
                    consumer.close().await;
                    end
                }
                Err(error) => End::Lost(error),
            };
            match end {
                End::Stopped => return,
                End::Lost(error) => {
                    tracing::warn!(%error, partition = %self.partition, "worker.consume");
                    if pause.wait(&self.stop).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Persists a batch while the gateways and the push stage are told of the one before: the log waits for neither.
    async fn consume(&self, consumer: &mut dyn Consumer) -> Result<std::convert::Infallible, End> {
        let mut telling: Option<Telling<'_>> = None;
        loop {
            let deliveries = tokio::select! {
                () = self.stop.cancelled() => {
                    self.finish(&mut telling, consumer).await?;
                    return Err(End::Stopped);
                }
                through = told(&mut telling) => {
                    self.acknowledge(consumer, through?).await?;
                    self.waiting.done(&self.partition);
                    continue;
                }
                deliveries = consumer.receive(self.batch_rows) => deliveries?,
            };
            let Some(last) = deliveries.last().map(|delivery| delivery.tag) else { continue };
            let mut batch = self.entries(deliveries).await?;
            if let Some(first) = batch.first() {
                self.waiting.took(self.partition, first.received_at());
            }
            loop {
                let more = batch.split_off(fitting(&batch, self.batch_bytes).min(batch.len()));
                let results = self.persist(&batch, &mut telling, consumer).await?;
                // In order, so the one before has to be through.
                self.finish(&mut telling, consumer).await?;
                let through = more.is_empty().then_some(last);
                telling = Some(Telling { told: Box::pin(self.tell(batch, results)), through });
                if more.is_empty() {
                    break;
                }
                batch = more;
            }
        }
    }

    /// What became of each entry; meanwhile the telling of the batch before goes on.
    async fn persist(
        &self,
        entries: &[NewEntry],
        telling: &mut Option<Telling<'_>>,
        consumer: &mut dyn Consumer,
    ) -> Result<Vec<Persisted>, End> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let persist =
            Persist { store: &*self.store, queue: &*self.queue, partition: self.partition, stop: &self.stop };
        let began = Instant::now();
        self.metrics.worker.persist_batch_messages.observe(entries.len() as f64);
        let persisted = persist.persist(entries);
        tokio::pin!(persisted);
        let results = loop {
            tokio::select! {
                results = &mut persisted => break results?,
                through = told(telling) => self.acknowledge(consumer, through?).await?,
            }
        };
        self.took(Stage::Persist, began);
        self.count(entries, &results);
        Ok(results)
    }

    /// Waits until the batch before is told, and acknowledges it.
    async fn finish(
        &self,
        telling: &mut Option<Telling<'_>>,
        consumer: &mut dyn Consumer,
    ) -> Result<(), End> {
        if telling.is_some() {
            let through = told(telling).await?;
            self.acknowledge(consumer, through).await?;
        }
        Ok(())
    }

    async fn acknowledge(&self, consumer: &mut dyn Consumer, through: Option<u64>) -> Result<(), End> {
        if let Some(through) = through {
            let began = Instant::now();
            consumer.acknowledge(through).await?;
            self.took(Stage::Ack, began);
        }
        Ok(())
    }

    /// The entries of some deliveries; what cannot be decoded goes to the dead letters.
    async fn entries(&self, deliveries: Vec<Delivery>) -> Result<Vec<NewEntry>, Stopped> {
        let mut entries = Vec::new();
        for delivery in deliveries {
            match delivery.payload {
                Ok(batch) if entries.is_empty() => entries = batch.into_entries(),
                Ok(batch) => entries.extend(batch.into_entries()),
                Err(poison) => {
                    tracing::error!(error = %poison.error, partition = %self.partition, "worker.poison");
                    let dead = &self.metrics.queues.dead_lettered_messages_total;
                    dead.get(ConsumedQueue::Inbound, DeadReason::Undecodable).inc();
                    let reason = poison.error.to_string();
                    bury(&*self.queue, poison.bytes, &reason, &self.partition.to_string(), &self.stop)
                        .await?;
                }
            }
        }
        Ok(entries)
    }

    /// Tells the gateways and the push stage of a stored batch.
    async fn tell(&self, entries: Vec<NewEntry>, results: Vec<Persisted>) -> Result<(), Stopped> {
        if entries.is_empty() {
            return Ok(());
        }
        let began = Instant::now();
        let events = outcome::events(&entries, &results);
        for event in &events {
            if matches!(event.body, EventBody::Frame { .. }) {
                self.metrics.worker.fanout_recipients.observe(outcome::recipients(event) as f64);
            }
        }
        let fan_out = async {
            self.fan_out.publish(outcome::joined(&entries, &results), events).await;
            self.took(Stage::FanOut, began);
        };
        let notify = async {
            let notified = self.notify.notify(&entries, &results, &self.stop).await;
            self.took(Stage::Notify, began);
            notified
        };
        tokio::join!(fan_out, notify).1
    }

    fn took(&self, stage: Stage, since: Instant) {
        self.metrics.worker.processing_seconds.get(stage).observe(since.elapsed().as_secs_f64());
    }

    fn count(&self, entries: &[NewEntry], results: &[Persisted]) {
        let now = Timestamp::now();
        for (entry, result) in entries.iter().zip(results) {
            let label = match result {
                Persisted::Appended(Appended::Stored(stored)) if stored.original.is_some() => {
                    ConsumeResult::Duplicate
                }
                Persisted::Appended(Appended::Stored(_)) => {
                    let took = now.since(entry.received_at());
                    self.metrics.worker.store_seconds.observe(took.as_secs_f64());
                    ConsumeResult::Stored
                }
                Persisted::Appended(Appended::Refused(_)) => ConsumeResult::Rejected,
                Persisted::Dead => {
                    let dead = &self.metrics.queues.dead_lettered_messages_total;
                    dead.get(ConsumedQueue::Inbound, DeadReason::Refused).inc();
                    ConsumeResult::Dead
                }
            };
            self.metrics.queues.consumed_messages_total.get(ConsumedQueue::Inbound, label).inc();
        }
    }
}

/// How many of these make one transaction; at least one.
fn fitting(entries: &[NewEntry], most: usize) -> usize {
    let mut bytes = 0;
    let fits = entries.iter().take_while(|entry| {
        bytes += entry.bytes();
        bytes <= most
    });
    fits.count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Body, ConversationId, EntryKind, UserId};

    #[test]
    fn a_transaction_takes_as_many_bytes_as_it_may_and_a_larger_entry_alone() {
        let entry = |length: usize| {
            let body = Body { text: Some("x".repeat(length)), ..Body::default() };
            let sender = UserId::parse("alice").unwrap();
            NewEntry::managing(ConversationId::new(), &sender, None, EntryKind::Text, body)
        };
        let entries = [entry(100), entry(100), entry(5000), entry(100)];
        assert_eq!(fitting(&entries, 1000), 2);
        assert_eq!(fitting(&entries[2..], 1000), 1);
        assert_eq!(fitting(&entries, 100_000), 4);
    }
}
