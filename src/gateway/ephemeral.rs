//! Events that are worth nothing later: typing. Published together, dropped rather than queued.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::fanout::Fanout;
use crate::model::Event;

pub struct Ephemeral(mpsc::Sender<Event>);

/// Events that may wait; past that they are dropped.
const WAITING: usize = 4096;
/// Events in one publish.
const TOGETHER: usize = 512;

impl Ephemeral {
    pub fn start(fanout: Arc<dyn Fanout>) -> Self {
        let (events, mut inbox) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while inbox.recv_many(&mut batch, TOGETHER).await > 0 {
                if let Err(error) = fanout.publish(std::mem::take(&mut batch)).await {
                    tracing::debug!(%error, "gateway.ephemeral");
                }
            }
        });
        Self(events)
    }

    pub fn publish(&self, event: Event) {
        // Full: whoever types now types again in a second.
        let _ = self.0.try_send(event);
    }
}
