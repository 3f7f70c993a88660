//! The consumer of one partition.

use std::sync::Arc;

use async_trait::async_trait;

use super::lane::Lane;
use crate::queue::{Consumer, Delivery, QueueError};

pub(super) struct EmbeddedConsumer {
    lane: Arc<Lane>,
    number: u64,
}

impl EmbeddedConsumer {
    pub fn new(lane: Arc<Lane>) -> Self {
        let number = lane.join();
        Self { lane, number }
    }
}

#[async_trait]
impl Consumer for EmbeddedConsumer {
    async fn receive(&mut self, rows: usize) -> Result<Vec<Delivery>, QueueError> {
        loop {
            let bell = self.lane.bell.notified();
            tokio::pin!(bell);
            bell.as_mut().enable();
            let taken = self.lane.take(self.number, rows);
            if !taken.is_empty() {
                return Ok(taken);
            }
            bell.await;
        }
    }

    async fn acknowledge(&mut self, through: u64) -> Result<(), QueueError> {
        self.lane.acknowledge(self.number, through);
        Ok(())
    }

    async fn close(self: Box<Self>) {}
}

impl Drop for EmbeddedConsumer {
    fn drop(&mut self) {
        self.lane.leave(self.number);
    }
}
