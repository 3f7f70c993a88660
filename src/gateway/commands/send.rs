//! `send`: a message to a conversation, or to a user.

use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::time::Instant;

use super::Work;
use crate::gateway::Gateway;
use crate::gateway::access::{Action, Asking, Known};
use crate::gateway::ingress::{Named, Pace, Refused, Waiting};
use crate::gateway::meters;
use crate::gateway::session::{Problem, Session};
use crate::model::{
    Body, ClientId, ConversationId, ConversationKind, EntryKind, NewEntry, Origin, PushOverride, Seq,
    SessionId, Timestamp, UserId,
};
use crate::protocol::{self, Accepted, ErrorCode, Ref, ServerFrame};
use crate::store::Relation;

/// A message as somebody wants it sent.
#[derive(Debug)]
pub struct Draft {
    pub destination: Destination,
    pub client_id: ClientId,
    pub text: Option<String>,
    pub data: Option<Box<RawValue>>,
    pub reply_to: Option<Seq>,
    pub mentions: Vec<UserId>,
    pub push: Option<PushOverride>,
}

#[derive(Debug, Clone)]
pub enum Destination {
    Conversation(ConversationId),
    /// The direct conversation with this user, which begins when there is none.
    User(UserId),
}

/// People whom one message can mention.
const MENTIONS: usize = 100;

impl Gateway {
    pub(super) fn send_frame(
        self,
        session: Arc<Session>,
        reference: Option<Ref>,
        send: protocol::Send,
    ) -> Option<Work> {
        let client_id = send.client_id;
        let draft = match draft(send).and_then(|draft| self.check_content(&draft).map(|()| draft)) {
            Ok(draft) => draft,
            Err(problem) => {
                self.reject(&session, reference.as_ref(), client_id, &problem);
                return None;
            }
        };
        if let Err(problem) = session.take_message(Instant::now()) {
            self.reject(&session, reference.as_ref(), client_id, &problem);
            return None;
        }
        let asking = session.asking();
        match self.address_at_once(&asking, &draft) {
            Some(addressed) => {
                let entry = entry(draft, &session.user_id, addressed);
                self.submit_for(session, reference, entry);
                None
            }
            None => Some(Box::pin(async move {
                match self.address(&session.asking(), &draft).await {
                    Ok(addressed) => {
                        let entry = entry(draft, &session.user_id, addressed);
                        self.submit_for(session, reference, entry);
                    }
                    Err(problem) => self.reject(&session, reference.as_ref(), client_id, &problem),
                }
            })),
        }
    }

    /// Whether its text and data can be taken.
    pub fn check_content(&self, draft: &Draft) -> Result<(), Problem> {
        let limits = &self.settings.gateway;
        let text = draft.text.as_deref().unwrap_or_default();
        if text.is_empty() && draft.data.is_none() {
            return Err(Problem::bad_request("a message needs `text` or `data`"));
        }
        check_text(text, limits.max_text_bytes)?;
        check_data(draft.data.as_deref(), limits.max_data_bytes)?;
        if draft.mentions.len() > MENTIONS {
            return Err(Problem::bad_request(format!("a message mentions at most {MENTIONS} users")));
        }
        if draft.reply_to == Some(Seq::ZERO) {
            return Err(Problem::bad_request("`reply_to` is a seq, and seqs begin at 1"));
        }
        Ok(())
    }

    /// Where it goes, when this gateway knows that the sender may write there.
    fn address_at_once(&self, asking: &Asking<'_>, draft: &Draft) -> Option<Addressed> {
        let id = match &draft.destination {
            Destination::Conversation(id) => *id,
            Destination::User(peer) => ConversationId::direct(asking.id, peer),
        };
        let known = self.access.known(id, asking, Action::Write)?;
        Some(self.addressed(asking, &known))
    }

    /// An entry to a conversation that this gateway knows. The conversation may not be there yet, and who opened it may have been
    /// refused since: then this entry makes it.
    fn addressed(&self, asking: &Asking<'_>, known: &Known) -> Addressed {
        let create = known.is_to_be_made();
        Addressed {
            conversation_id: known.view.id,
            peer: known.view.peer_of(asking.id).cloned(),
            create,
            provision: create && self.settings.auto_provision,
        }
    }

    /// Where it goes.
    ///
    /// # Errors
    /// The sender may not write there.
    pub async fn address(&self, asking: &Asking<'_>, draft: &Draft) -> Result<Addressed, Problem> {
        match &draft.destination {
            Destination::Conversation(id) => {
                let known = self.access.check(*id, asking, Action::Write).await?;
                Ok(self.addressed(asking, &known))
            }
            Destination::User(peer) if peer == asking.id => {
                Err(Problem::bad_request("nobody has a conversation with themselves"))
            }
            Destination::User(peer) => self.open(asking, peer).await,
        }
    }

    /// The direct conversation with a user: it is made by the worker, with its first entry.
    async fn open(&self, asking: &Asking<'_>, peer: &UserId) -> Result<Addressed, Problem> {
        let id = ConversationId::direct(asking.id, peer);
        let new = || Addressed {
            conversation_id: id,
            peer: Some(peer.clone()),
            create: true,
            provision: self.settings.auto_provision,
        };
        match self.access.check(id, asking, Action::Write).await {
            Ok(known) => {
                debug_assert_eq!(known.view.kind, ConversationKind::Direct);
                return Ok(self.addressed(asking, &known));
            }
            // Not there yet.
            Err(problem) if problem.code == ErrorCode::NotFound => {}
            // The store is away: the worker decides when it is back.
            Err(problem) if problem.code == ErrorCode::Unavailable => return Ok(new()),
            Err(problem) => return Err(problem),
        }
        if self.store.is_related(Relation::Block, peer, asking.id).await? {
            return Err(Problem::new(ErrorCode::Forbidden, "this user does not take messages from you"));
        }
        if !self.settings.auto_provision && self.store.profiles(std::slice::from_ref(peer)).await?.is_empty()
        {
            return Err(Problem::new(ErrorCode::NotFound, "there is no such user"));
        }
        Ok(new())
    }

    /// Hands an entry of a socket to the ingress; the socket hears what became of it.
    pub(super) fn submit_for(&self, session: Arc<Session>, reference: Option<Ref>, mut entry: NewEntry) {
        entry.origin = self.origin(session.id, false);
        if let (true, Some(peer)) = (entry.create, &entry.peer) {
            // What the socket sends next may name the conversation already.
            self.access.opened(entry.conversation_id, &entry.sender_id, peer);
        }
        session.submitted();
        let waiting = Socket { session, reference, gateway: self.clone() };
        self.ingress.submit(entry, Box::new(waiting));
    }

    /// Whom the worker tells what became of an entry.
    pub(in crate::gateway) fn origin(&self, session: SessionId, wants_stored: bool) -> Option<Origin> {
        self.subscribed.borrow().map(|gateway| Origin { gateway, session, wants_stored })
    }

    pub(super) fn reject(
        &self,
        session: &Session,
        reference: Option<&Ref>,
        client_id: ClientId,
        problem: &Problem,
    ) {
        self.metrics.gateway.messages_rejected_total.get(meters::rejection(problem.code)).inc();
        session.refuse(reference, Some(client_id), problem);
    }
}

/// Where a message goes.
#[derive(Debug, Clone)]
pub struct Addressed {
    pub conversation_id: ConversationId,
    pub peer: Option<UserId>,
    pub create: bool,
    pub provision: bool,
}

/// The entry of a draft.
pub fn entry(draft: Draft, sender: &UserId, addressed: Addressed) -> NewEntry {
    NewEntry {
        conversation_id: addressed.conversation_id,
        sender_id: sender.clone(),
        client_id: draft.client_id,
        kind: EntryKind::Text,
        body: Body {
            text: draft.text,
            data: draft.data,
            reply_to: draft.reply_to,
            mentions: draft.mentions,
            ..Body::default()
        },
        peer: addressed.peer,
        create: addressed.create,
        provision: addressed.provision,
        received_ms: Timestamp::now().as_millis(),
        origin: None,
        push: draft.push,
    }
}

fn draft(send: protocol::Send) -> Result<Draft, Problem> {
    let destination = match (send.conversation_id, send.to) {
        (Some(id), None) => Destination::Conversation(id),
        (None, Some(user)) => Destination::User(user),
        (Some(_), Some(_)) | (None, None) => {
            return Err(Problem::bad_request("`send` needs either `conversation_id` or `to`"));
        }
    };
    Ok(Draft {
        destination,
        client_id: send.client_id,
        text: send.text,
        data: send.data,
        reply_to: send.reply_to,
        mentions: send.mentions,
        push: None,
    })
}

pub(super) fn check_text(text: &str, limit: usize) -> Result<(), Problem> {
    if text.len() > limit {
        return Err(Problem::new(ErrorCode::TooLarge, format!("`text` is at most {limit} bytes")));
    }
    if text.contains('\0') {
        return Err(Problem::bad_request("text cannot hold the NUL character"));
    }
    Ok(())
}

pub(super) fn check_data(data: Option<&RawValue>, limit: usize) -> Result<(), Problem> {
    if data.is_some_and(|data| data.get().len() > limit) {
        return Err(Problem::new(ErrorCode::TooLarge, format!("`data` is at most {limit} bytes of JSON")));
    }
    Ok(())
}

/// A socket that waits for `accepted`.
struct Socket {
    session: Arc<Session>,
    reference: Option<Ref>,
    gateway: Gateway,
}

impl Waiting for Socket {
    fn settle(self: Box<Self>, entry: Named, result: Result<Pace, Refused>) {
        self.session.settled();
        match result {
            Ok(pace) => {
                self.gateway.metrics.gateway.messages_accepted_total.inc();
                let accepted = ServerFrame::Accepted(Accepted {
                    reference: self.reference.as_deref(),
                    client_id: entry.client_id,
                    conversation_id: entry.conversation_id,
                });
                match pace {
                    Pace::Quiet => self.session.answer(&accepted),
                    Pace::Busy => {
                        if self.session.answer_later(&accepted) {
                            self.session.outbox.wake();
                        } else {
                            self.gateway.late.wake(self.session);
                        }
                    }
                }
            }
            Err(Refused { retry_after }) => {
                let millis = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
                let problem = Problem::unavailable("the message was not taken, send it again", millis);
                self.gateway.reject(&self.session, self.reference.as_ref(), entry.client_id, &problem);
            }
        }
    }
}
