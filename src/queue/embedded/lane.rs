//! One partition: what waits, what is delivered, whose turn it is.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

use crate::queue::{Batch, Delivery};

/// One partition.
pub(super) struct Lane {
    /// Room for entries.
    room: Arc<Semaphore>,
    /// Rung when there is something to deliver or a consumer left.
    pub bell: Notify,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Item>,
    unacknowledged: VecDeque<Item>,
    /// The consumer whose turn it is.
    active: Option<u64>,
    next_tag: u64,
    next_consumer: u64,
}

struct Item {
    tag: u64,
    batch: Batch,
    redelivered: bool,
    /// Held until it is acknowledged, whether or not its publisher still waits.
    _room: OwnedSemaphorePermit,
    acknowledged: oneshot::Sender<()>,
}

impl Lane {
    pub fn new(entries: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(entries)), bell: Notify::new(), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a batch in, which takes `room`; what is returned resolves when it was acknowledged. `None` when it is full.
    pub fn push(&self, batch: Batch, room: u32) -> Option<oneshot::Receiver<()>> {
        let room = Arc::clone(&self.room).try_acquire_many_owned(room).ok()?;
        let (acknowledged, done) = oneshot::channel();
        let mut state = self.state();
        state.next_tag += 1;
        let tag = state.next_tag;
        state.ready.push_back(Item { tag, batch, redelivered: false, _room: room, acknowledged });
        drop(state);
        self.bell.notify_waiters();
        Some(done)
    }

    /// A new consumer's number.
    pub fn join(&self) -> u64 {
        let mut state = self.state();
        state.next_consumer += 1;
        state.next_consumer
    }

    /// Takes what is there, when it is this consumer's turn.
    pub fn take(&self, consumer: u64, rows: usize) -> Vec<Delivery> {
        let mut state = self.state();
        if *state.active.get_or_insert(consumer) != consumer {
            return Vec::new();
        }
        let mut taken = Vec::new();
        let mut entries = 0;
        while entries < rows {
            let Some(item) = state.ready.pop_front() else { break };
            entries += item.batch.entries().len();
            taken.push(Delivery {
                tag: item.tag,
                redelivered: item.redelivered,
                payload: Ok(item.batch.clone()),
            });
            state.unacknowledged.push_back(item);
        }
        taken
    }

    pub fn acknowledge(&self, consumer: u64, through: u64) {
        let mut state = self.state();
        if state.active != Some(consumer) {
            return;
        }
        while state.unacknowledged.front().is_some_and(|item| item.tag <= through) {
            if let Some(item) = state.unacknowledged.pop_front() {
                // The publisher may have given up waiting.
                let _ = item.acknowledged.send(());
            }
        }
    }

    /// The consumer leaves; what it did not acknowledge goes to the next one, in order.
    pub fn leave(&self, consumer: u64) {
        let mut state = self.state();
        if state.active == Some(consumer) {
            state.active = None;
            while let Some(mut item) = state.unacknowledged.pop_back() {
                item.redelivered = true;
                state.ready.push_front(item);
            }
        }
        drop(state);
        self.bell.notify_waiters();
    }

    /// Batches that wait, and that are delivered and not acknowledged.
    pub fn depth(&self) -> (usize, usize) {
        let state = self.state();
        (state.ready.len(), state.unacknowledged.len())
    }
}
