//! HTTP requests that wait for another process to answer by the fan-out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::model::{GatewayId, SessionId};

#[derive(Clone, Default)]
pub struct Answers(Arc<Mutex<HashMap<SessionId, oneshot::Sender<Bytes>>>>);

/// A request that waits; dropped, nobody waits any more.
pub struct Awaited {
    answers: Answers,
    /// Where the answer is to go, and whose it is.
    pub gateway: GatewayId,
    pub request: SessionId,
    answer: oneshot::Receiver<Bytes>,
}

impl Answers {
    pub fn expect(&self, gateway: GatewayId) -> Awaited {
        let (sender, answer) = oneshot::channel();
        let request = SessionId::new();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(request, sender);
        Awaited { answers: self.clone(), gateway, request, answer }
    }

    /// Nobody may wait for it any more, or it was answered before.
    pub fn give(&self, request: SessionId, json: Bytes) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&request);
        if let Some(sender) = waiting
            && sender.send(json).is_err()
        {
            tracing::debug!("gateway.answer_too_late");
        }
    }
}

impl Awaited {
    /// The answer; `None` when there will be none.
    pub async fn answer(&mut self) -> Option<Bytes> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.answers.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.request);
    }
}
