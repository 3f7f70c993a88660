//! Entries by HTTP: accepted as those of a socket are, and some waited for until they are stored.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::send::{Draft, entry};
use crate::gateway::Gateway;
use crate::gateway::access::Asking;
use crate::gateway::deliver::problem_of;
use crate::gateway::ingress::{Named, Pace, Refused, Waiting};
use crate::gateway::session::Problem;
use crate::model::{ConversationId, Event, NewEntry, Seq, SessionId};

/// How often the store is asked for an entry whose return may have been lost.
const ASK_STORE_EVERY: Duration = Duration::from_millis(500);
/// How long a change that was accepted may take to come back; past it the answer is 503, and it happens all the same.
const STORED_WITHIN: Duration = Duration::from_secs(10);

impl Gateway {
    /// Sends a message; returns when it is durable.
    pub async fn send(&self, asking: &Asking<'_>, draft: Draft) -> Result<ConversationId, Problem> {
        self.check_content(&draft)?;
        let addressed = self.address(asking, &draft).await?;
        let conversation_id = addressed.conversation_id;
        let entry = entry(draft, asking.id, addressed);
        if let (true, Some(peer)) = (entry.create, &entry.peer) {
            self.access.opened(conversation_id, &entry.sender_id, peer);
        }
        self.accept(entry).await?;
        Ok(conversation_id)
    }

    /// Has an entry stored; returns its seq when it is.
    pub async fn store_entry(&self, mut entry: NewEntry) -> Result<Seq, Problem> {
        let request = SessionId::new();
        entry.origin = self.origin(request, true);
        let mut expected = self.requests.expect(request, entry.client_id);
        let (id, sender, client_id) = (entry.conversation_id, entry.sender_id.clone(), entry.client_id);
        let members = entry.kind.changes_members();
        self.accept(entry).await?;
        let deadline = Instant::now() + STORED_WITHIN;
        let outcome = loop {
            tokio::select! {
                Some(outcome) = expected.outcome() => break outcome,
                () = tokio::time::sleep(ASK_STORE_EVERY) => {
                    if let Ok(Some(stored)) = self.store.find(id, &sender, client_id).await {
                        break Ok(stored.seq);
                    }
                    if Instant::now() >= deadline {
                        return Err(Problem::unavailable("it was accepted and will be done later", 1000));
                    }
                }
            }
        };
        if members {
            // The caller may go on with this at once, and this gateway need not hold the group's route.
            self.access.forget(id);
        }
        outcome.map_err(problem_of)
    }

    /// Hands an entry to the ingress; returns when it is durable.
    async fn accept(&self, entry: NewEntry) -> Result<(), Problem> {
        let (settled, result) = oneshot::channel();
        self.ingress.submit(entry, Box::new(Request(settled)));
        match result.await {
            Ok(Ok(_)) => {
                self.metrics.gateway.messages_accepted_total.inc();
                Ok(())
            }
            Ok(Err(Refused { retry_after })) => {
                let millis = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
                Err(Problem::unavailable("the message was not taken, send it again", millis))
            }
            Err(_) => Err(Problem::unavailable("this process is stopping", 1000)),
        }
    }

    /// Tells gateways of something that is no entry; what is lost, clients read.
    pub async fn announce(&self, event: Event) {
        if let Err(error) = self.fanout.publish(vec![event]).await {
            tracing::warn!(%error, "gateway.announce");
        }
    }
}

/// A request that waits for its entry to be durable.
struct Request(oneshot::Sender<Result<Pace, Refused>>);

impl Waiting for Request {
    fn settle(self: Box<Self>, _: Named, result: Result<Pace, Refused>) {
        // Whoever asked may have gone.
        let _ = self.0.send(result);
    }
}
