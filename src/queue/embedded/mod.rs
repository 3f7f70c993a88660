//! The queue of one process: partitions in memory, bounded; a publish resolves when its consumer has acknowledged.
//!
//! So what was published is as durable as what the consumer did before it acknowledged. What has to wait across a restart,
//! dead letters and the jobs of the push stage, is in SQLite.

mod consumer;
mod credentials;
mod dead;
mod lane;
mod push;
mod screens;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use self::consumer::EmbeddedConsumer;
pub use self::dead::dead_letters;
use self::lane::Lane;
use self::push::Jobs;
use super::{Batch, Consumer, Depth, Partition, Partitions, PublishError, Queue, QueueError};
use crate::store::sqlite::{Database, DatabaseError};

/// The queue of one process. Clones share everything.
#[derive(Clone)]
pub struct EmbeddedQueue {
    lanes: Arc<[Arc<Lane>]>,
    partitions: Partitions,
    /// Entries that one partition holds at most.
    room: usize,
    database: Database,
    jobs: Arc<Jobs>,
    screens: Arc<screens::Count>,
}

/// Opens the queue, with its file in `data_dir`. `room` bounds the entries that wait in one partition.
///
/// # Errors
/// The file cannot be used, or belongs to another process.
pub fn open(data_dir: &Path, partitions: Partitions, room: usize) -> Result<EmbeddedQueue, DatabaseError> {
    let (database, jobs, screens) = dead::open(data_dir)?;
    let lanes = partitions.all().map(|_| Arc::new(Lane::new(room))).collect();
    Ok(EmbeddedQueue { lanes, partitions, room, database, jobs: Arc::new(jobs), screens: Arc::new(screens) })
}

#[async_trait]
impl Queue for EmbeddedQueue {
    async fn publish(&self, partition: Partition, batch: Batch) -> Result<(), PublishError> {
        let lane = &self.lanes[partition.index()];
        let entries = batch.entries().len().clamp(1, self.room);
        let room = u32::try_from(entries).unwrap_or(u32::MAX);
        let Some(acknowledged) = lane.push(batch, room) else { return Err(PublishError::Nacked) };
        acknowledged
            .await
            .map_err(|_| PublishError::Unavailable { reason: "the queue is stopping".to_owned() })
    }

    async fn consume(&self, partition: Partition) -> Result<Box<dyn Consumer>, QueueError> {
        Ok(Box::new(EmbeddedConsumer::new(Arc::clone(&self.lanes[partition.index()]))))
    }

    async fn ping(&self) -> Result<(), QueueError> {
        self.count_dead().await.map(|_| ())
    }

    async fn depths(&self) -> Result<Vec<Depth>, QueueError> {
        let mut inbound = Depth { queue: "inbound".to_owned(), ready: 0, unacknowledged: 0, oldest: None };
        for partition in self.partitions.all() {
            let (ready, unacknowledged) = self.lanes[partition.index()].depth();
            inbound.ready += ready as u64;
            inbound.unacknowledged += unacknowledged as u64;
        }
        let ready = self.count_dead().await?;
        let dead = Depth { queue: "dead".to_owned(), ready, unacknowledged: 0, oldest: None };
        let mut depths = vec![inbound, dead];
        depths.extend(self.jobs.depths());
        Ok(depths)
    }
}
