//! The jobs of the push stage: rows of SQLite, with an index in memory that knows which are due.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension};
use tokio::sync::Notify;

use super::EmbeddedQueue;
use crate::model::Timestamp;
use crate::queue::{
    Depth, PublishError, PushConsumer, PushDelivery, PushJob, PushLane, PushQueue, QueueError, Waiting,
};
use crate::store::sqlite::{Database, DatabaseError};

const INSERT: &str = "INSERT INTO push_jobs (lane, due, payload) VALUES (?1, ?2, ?3)";
const KNOWN: &str = "SELECT id, lane, due FROM push_jobs";
const READ: &str = "SELECT payload FROM push_jobs WHERE id = ?1";
const DELETE: &str = "DELETE FROM push_jobs WHERE id = ?1";

/// Jobs that are kept; past it a put is refused.
const MOST_JOBS: usize = 1_000_000;
/// A consumer looks again after this long at the latest: the clock of the machine may be set.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Which jobs are there and when they are due; their payloads are on the disk only.
pub(super) struct Jobs {
    index: Mutex<Index>,
    /// Rung when a job came or came back.
    bell: Notify,
    /// By lane: what consumers have in hand, by its id.
    waiting: [Waiting<i64>; PushLane::ALL.len()],
}

#[derive(Default)]
struct Index {
    /// By lane: due and id of what is not delivered, and whether it was before.
    lanes: [BTreeMap<(i64, i64), bool>; PushLane::ALL.len()],
    /// By lane: delivered and not acknowledged.
    held: [usize; PushLane::ALL.len()],
}

/// One job in the index.
#[derive(Debug, Clone, Copy)]
struct Place {
    due: i64,
    id: i64,
    redelivered: bool,
}

impl Jobs {
    /// What an earlier process left. Blocks: for the start of a program.
    pub fn load(connection: &Connection) -> Result<Self, DatabaseError> {
        let mut index = Index::default();
        let mut known = connection.prepare(KNOWN)?;
        let mut rows = known.query([])?;
        while let Some(row) = rows.next()? {
            let (id, lane, due): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if let Some(lane) = usize::try_from(lane).ok().and_then(|lane| index.lanes.get_mut(lane)) {
                lane.insert((due, id), true);
            }
        }
        Ok(Self { index: Mutex::new(index), bell: Notify::new(), waiting: Default::default() })
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn len(&self) -> usize {
        let index = self.index();
        index.lanes.iter().map(BTreeMap::len).sum::<usize>() + index.held.iter().sum::<usize>()
    }

    /// Takes what is due, or says when the next will be.
    fn take(&self, lane: PushLane, most: usize, taken: &mut Vec<Place>) -> Option<Duration> {
        let now = Timestamp::now();
        let mut index = self.index();
        let jobs = &mut index.lanes[lane.index()];
        while taken.len() < most {
            let Some(first) = jobs.first_entry() else { break };
            let (due, id) = *first.key();
            if due > now.as_millis() {
                break;
            }
            taken.push(Place { due, id, redelivered: first.remove() });
        }
        let next = jobs.first_key_value().map(|((due, _), _)| Timestamp::from_millis(*due).since(now));
        index.held[lane.index()] += taken.len();
        next
    }

    fn put_back(&self, lane: PushLane, places: impl IntoIterator<Item = Place>) {
        let mut index = self.index();
        for place in places {
            index.lanes[lane.index()].insert((place.due, place.id), true);
            index.held[lane.index()] -= 1;
        }
        drop(index);
        self.bell.notify_waiters();
    }

    /// How much is due, how much waits for its time, how much is delivered.
    pub fn depths(&self) -> Vec<Depth> {
        let at = Timestamp::now();
        let now = at.as_millis();
        let index = self.index();
        let mut waiting = 0;
        let mut depths = Vec::with_capacity(PushLane::ALL.len() + 1);
        for lane in PushLane::ALL {
            let jobs = &index.lanes[lane.index()];
            let later = jobs.range((now + 1, 0)..).count();
            waiting += later as u64;
            let first = jobs.first_key_value().map(|((due, _), _)| at.since(Timestamp::from_millis(*due)));
            let oldest = self.waiting[lane.index()].oldest().max(first.unwrap_or_default());
            depths.push(Depth {
                queue: lane.label().to_owned(),
                ready: (jobs.len() - later) as u64,
                unacknowledged: index.held[lane.index()] as u64,
                oldest: Some(oldest),
            });
        }
        let queue = "push_wait".to_owned();
        depths.push(Depth { queue, ready: waiting, unacknowledged: 0, oldest: None });
        depths
    }
}

#[async_trait]
impl PushQueue for EmbeddedQueue {
    async fn put(&self, jobs: Vec<PushJob>) -> Result<(), PublishError> {
        if jobs.is_empty() {
            return Ok(());
        }
        if self.jobs.len() + jobs.len() > MOST_JOBS {
            return Err(PublishError::Nacked);
        }
        let unavailable = |reason: String| PublishError::Unavailable { reason };
        let put = insert(self.database.clone(), Arc::clone(&self.jobs), jobs);
        // In a task of its own: given up between the row and the index, a job would sleep until the next start.
        let put = tokio::spawn(put).await.map_err(|error| unavailable(error.to_string()))?;
        put.map_err(|error| unavailable(error.to_string()))
    }

    async fn consume_push(&self, lane: PushLane, prefetch: u16) -> Result<Box<dyn PushConsumer>, QueueError> {
        Ok(Box::new(EmbeddedPushConsumer {
            database: self.database.clone(),
            jobs: Arc::clone(&self.jobs),
            lane,
            prefetch: usize::from(prefetch.max(1)),
            taken: Vec::new(),
            held: HashMap::new(),
        }))
    }
}

async fn insert(database: Database, known: Arc<Jobs>, jobs: Vec<PushJob>) -> Result<(), DatabaseError> {
    let now = Timestamp::now().as_millis();
    let rows: Vec<(PushLane, i64, Bytes)> = jobs
        .into_iter()
        .map(|job| (job.lane, job.due.map_or(now, Timestamp::as_millis), job.payload))
        .collect();
    let places = rows.iter().map(|(lane, due, _)| (*lane, *due)).collect::<Vec<_>>();
    let ids = database.write(move |connection| -> Result<Vec<i64>, DatabaseError> {
        let mut statement = connection.prepare_cached(INSERT)?;
        let mut ids = Vec::with_capacity(rows.len());
        for (lane, due, payload) in &rows {
            ids.push(statement.insert((lane.index() as i64, due, &payload[..]))?);
        }
        Ok(ids)
    });
    let ids = ids.await?;
    let mut index = known.index();
    for ((lane, due), id) in places.into_iter().zip(ids) {
        index.lanes[lane.index()].insert((due, id), false);
    }
    drop(index);
    known.bell.notify_waiters();
    Ok(())
}

struct EmbeddedPushConsumer {
    database: Database,
    jobs: Arc<Jobs>,
    lane: PushLane,
    prefetch: usize,
    /// Taken from the index, not yet read: a receive that was given up goes on with them.
    taken: Vec<Place>,
    /// Delivered and not acknowledged.
    held: HashMap<u64, Place>,
}

#[async_trait]
impl PushConsumer for EmbeddedPushConsumer {
    async fn receive(&mut self, most: usize) -> Result<Vec<PushDelivery>, QueueError> {
        let jobs = Arc::clone(&self.jobs);
        loop {
            let bell = jobs.bell.notified();
            tokio::pin!(bell);
            bell.as_mut().enable();
            let mut next = None;
            if self.taken.is_empty() {
                let room = most.min(self.prefetch.saturating_sub(self.held.len()));
                if room == 0 {
                    // Only an acknowledgement makes room, and it cannot come before this receive is given up.
                    return std::future::pending().await;
                }
                next = jobs.take(self.lane, room, &mut self.taken);
            }
            if !self.taken.is_empty() {
                return self.read().await;
            }
            let wait = next.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN).max(Duration::from_millis(1));
            // An error is the end of the wait.
            let _ = tokio::time::timeout(wait, bell).await;
        }
    }

    async fn acknowledge(&mut self, tags: &[u64]) -> Result<(), QueueError> {
        let ids: Vec<i64> = tags.iter().filter_map(|tag| self.held.get(tag)).map(|place| place.id).collect();
        self.database
            .write(move |connection| -> Result<(), DatabaseError> {
                let mut statement = connection.prepare_cached(DELETE)?;
                for id in &ids {
                    statement.execute([id])?;
                }
                Ok(())
            })
            .await?;
        let done: Vec<Place> = tags.iter().filter_map(|tag| self.held.remove(tag)).collect();
        self.jobs.index().held[self.lane.index()] -= done.len();
        for place in done {
            self.jobs.waiting[self.lane.index()].done(&place.id);
        }
        Ok(())
    }
}

impl EmbeddedPushConsumer {
    async fn read(&mut self) -> Result<Vec<PushDelivery>, QueueError> {
        let ids: Vec<i64> = self.taken.iter().map(|place| place.id).collect();
        let payloads = self.database.read(move |connection| -> Result<_, DatabaseError> {
            let mut statement = connection.prepare_cached(READ)?;
            let payload = |id: i64| statement.query_row([id], |row| row.get::<_, Vec<u8>>(0)).optional();
            Ok(ids.into_iter().map(payload).collect::<Result<Vec<_>, _>>()?)
        });
        let payloads = payloads.await?;
        let mut deliveries = Vec::with_capacity(self.taken.len());
        let mut gone = 0;
        for (place, payload) in self.taken.drain(..).zip(payloads) {
            let Some(payload) = payload else {
                gone += 1;
                continue;
            };
            let tag = place.id.unsigned_abs();
            self.held.insert(tag, place);
            let due = Timestamp::from_millis(place.due);
            self.jobs.waiting[self.lane.index()].took(place.id, due);
            deliveries.push(PushDelivery {
                tag,
                redelivered: place.redelivered,
                payload: Bytes::from(payload),
            });
        }
        self.jobs.index().held[self.lane.index()] -= gone;
        Ok(deliveries)
    }
}

impl Drop for EmbeddedPushConsumer {
    fn drop(&mut self) {
        self.jobs.waiting[self.lane.index()].left(|id| self.held.contains_key(&id.unsigned_abs()));
        let left = self.taken.drain(..).chain(self.held.drain().map(|(_, place)| place));
        self.jobs.put_back(self.lane, left);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;
    use crate::queue::{Partitions, embedded};

    #[tokio::test]
    async fn a_consumer_without_room_waits_for_it_and_does_not_look_again_and_again() {
        let folder = tempfile::tempdir().unwrap();
        let partitions = Partitions::new(NonZeroU16::MIN);
        let queue = embedded::open(folder.path(), partitions, 100).unwrap();
        let job = |text: &'static str| PushJob {
            lane: PushLane::Log,
            due: None,
            payload: Bytes::from_static(text.as_bytes()),
        };
        queue.put(vec![job("held"), job("next")]).await.unwrap();
        let mut consumer = queue.consume_push(PushLane::Log, 1).await.unwrap();
        let held = consumer.receive(10).await.unwrap();
        let mut polls = 0;
        let mut receive = consumer.receive(10);
        let counted = std::future::poll_fn(|context| {
            polls += 1;
            receive.as_mut().poll(context)
        });
        // The quiet is what is looked at: in it there is nothing to wait for.
        assert!(tokio::time::timeout(Duration::from_millis(200), counted).await.is_err());
        drop(receive);
        assert!(polls <= 2, "it looked {polls} times");
        consumer.acknowledge(&[held[0].tag]).await.unwrap();
        assert_eq!(consumer.receive(10).await.unwrap()[0].payload, "next");
    }
}
