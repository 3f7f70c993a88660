//! A provider, a board and a consumer that do as a test says.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::fanout::FanoutError;
use crate::push::board::{Board, ScreenKey, Swap};
use crate::push::provider::{Delivery, Notification, Outcome, Provider};
use crate::queue::embedded::EmbeddedQueue;
use crate::queue::{PublishError, PushConsumer, PushDelivery, PushJob, PushLane, PushQueue, QueueError};

/// A provider that takes everything, of held tokens once they are released.
#[derive(Clone, Default)]
pub struct Script(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    asked: Vec<Notification>,
    answered: Vec<String>,
    held: HashMap<String, CancellationToken>,
    outcomes: HashMap<String, Outcome>,
}

impl Script {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap()
    }

    pub fn hold(&self, token: &str) {
        self.told().held.insert(token.to_owned(), CancellationToken::new());
    }

    pub fn release(&self, token: &str) {
        if let Some(held) = self.told().held.remove(token) {
            held.cancel();
        }
    }

    pub fn answers(&self, token: &str, outcome: Outcome) {
        self.told().outcomes.insert(token.to_owned(), outcome);
    }

    /// What it was asked to send to this token.
    pub fn asked(&self, token: &str) -> Vec<Notification> {
        let told = self.told();
        told.asked.iter().filter(|one| one.device.token.reveal() == token).cloned().collect()
    }

    /// How many requests for this token were answered.
    pub fn answered(&self, token: &str) -> usize {
        self.told().answered.iter().filter(|one| *one == token).count()
    }
}

#[async_trait]
impl Provider for Script {
    fn name(&self) -> &'static str {
        "log"
    }

    async fn deliver(&self, notification: &Notification) -> Delivery {
        let token = notification.device.token.reveal().to_owned();
        let held = {
            let mut told = self.told();
            told.asked.push(notification.clone());
            told.held.get(&token).cloned()
        };
        if let Some(held) = held {
            held.cancelled().await;
        }
        let mut told = self.told();
        let outcome = told.outcomes.get(&token).cloned().unwrap_or(Outcome::Delivered);
        told.answered.push(token);
        Delivery { outcome, answer: None, credential: false }
    }
}

/// A board whose writes wait while its gate is closed.
#[derive(Clone)]
pub struct Gated {
    board: EmbeddedQueue,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    closed: AtomicBool,
    waiting: AtomicBool,
    opened: Notify,
}

impl Gated {
    pub fn new(board: EmbeddedQueue) -> Self {
        Self { board, gate: Arc::default() }
    }

    pub fn close(&self) {
        self.gate.closed.store(true, Ordering::SeqCst);
    }

    pub fn open(&self) {
        self.gate.closed.store(false, Ordering::SeqCst);
        self.gate.opened.notify_waiters();
    }

    pub fn is_waited_for(&self) -> bool {
        self.gate.waiting.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Board for Gated {
    async fn load(&self, keys: &[ScreenKey]) -> Result<Vec<Option<Bytes>>, FanoutError> {
        self.board.load(keys).await
    }

    async fn swap(&self, swaps: &[Swap]) -> Result<Vec<bool>, FanoutError> {
        loop {
            let opened = self.gate.opened.notified();
            if !self.gate.closed.load(Ordering::SeqCst) {
                return self.board.swap(swaps).await;
            }
            self.gate.waiting.store(true, Ordering::SeqCst);
            opened.await;
        }
    }
}

/// A queue whose consumers are lost when a test says so.
#[derive(Clone)]
pub struct Losing {
    queue: EmbeddedQueue,
    lost: Arc<Loss>,
}

#[derive(Default)]
struct Loss {
    told: Notify,
    noticed: AtomicBool,
}

impl Losing {
    pub fn new(queue: EmbeddedQueue) -> Self {
        Self { queue, lost: Arc::default() }
    }

    pub fn lose(&self) {
        self.lost.told.notify_one();
    }

    pub fn is_lost(&self) -> bool {
        self.lost.noticed.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl PushQueue for Losing {
    async fn put(&self, jobs: Vec<PushJob>) -> Result<(), PublishError> {
        self.queue.put(jobs).await
    }

    async fn consume_push(&self, lane: PushLane, prefetch: u16) -> Result<Box<dyn PushConsumer>, QueueError> {
        let consumer = self.queue.consume_push(lane, prefetch).await?;
        Ok(Box::new(Lost { consumer, lost: Arc::clone(&self.lost) }))
    }
}

struct Lost {
    consumer: Box<dyn PushConsumer>,
    lost: Arc<Loss>,
}

#[async_trait]
impl PushConsumer for Lost {
    async fn receive(&mut self, most: usize) -> Result<Vec<PushDelivery>, QueueError> {
        tokio::select! {
            () = self.lost.told.notified() => {
                self.lost.noticed.store(true, Ordering::SeqCst);
                Err(QueueError::ConsumerGone { message: "as the test says".to_owned() })
            }
            received = self.consumer.receive(most) => received,
        }
    }

    async fn acknowledge(&mut self, tags: &[u64]) -> Result<(), QueueError> {
        self.consumer.acknowledge(tags).await
    }
}
