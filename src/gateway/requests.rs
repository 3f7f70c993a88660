//! HTTP requests that wait for their entry to come back from the worker.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::model::{ClientId, Refusal, Seq, SessionId};

type Waiting = HashMap<(SessionId, ClientId), oneshot::Sender<Result<Seq, Refusal>>>;

#[derive(Clone, Default)]
pub struct Requests(Arc<Mutex<Waiting>>);

/// A request that waits; dropped, nobody waits any more.
pub struct Expected {
    requests: Requests,
    key: (SessionId, ClientId),
    answer: oneshot::Receiver<Result<Seq, Refusal>>,
}

impl Requests {
    pub fn expect(&self, session: SessionId, client_id: ClientId) -> Expected {
        let (sender, answer) = oneshot::channel();
        let key = (session, client_id);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, sender);
        Expected { requests: self.clone(), key, answer }
    }

    /// Whether somebody waited for this.
    pub fn answer(&self, session: SessionId, client_id: ClientId, result: Result<Seq, Refusal>) -> bool {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(session, client_id));
        waiting.is_some_and(|sender| sender.send(result).is_ok())
    }
}

impl Expected {
    /// The outcome; `None` when it was given to nobody. Cancel-safe.
    pub async fn outcome(&mut self) -> Option<Result<Seq, Refusal>> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.requests.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}
