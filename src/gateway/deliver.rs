//! From the fan-out to the outboxes.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::Gateway;
use super::session::{Problem, Session};
use crate::model::{
    ConversationId, Event, EventBody, GatewayId, Refusal, Seq, SessionId, Stamp, Target, Timestamp, UserId,
};
use crate::protocol::{CloseCode, ConversationFrame, Encoding, ErrorCode, Resync, ServerFrame, encode};
use crate::telemetry::metrics::ResyncReason;

impl Gateway {
    /// Subscribes, again whenever the subscription is lost, and delivers until `stop`.
    pub(super) async fn deliver(self, stop: CancellationToken) {
        let mut first = true;
        let mut pause = std::time::Duration::from_millis(50);
        loop {
            let subscribed = tokio::select! {
                () = stop.cancelled() => return,
                subscribed = self.fanout.subscribe() => subscribed,
            };
            match subscribed {
                Ok(mut subscription) => {
                    pause = std::time::Duration::from_millis(50);
                    self.begin(subscription.gateway(), first).await;
                    first = false;
                    let lost = loop {
                        let received = tokio::select! {
                            () = stop.cancelled() => return,
                            received = subscription.receive() => received,
                        };
                        match received {
                            Ok(events) => self.handle(events).await,
                            Err(error) => break error,
                        }
                    };
                    tracing::warn!(error = %lost, "gateway.subscription");
                    self.subscribed.send_replace(None);
                }
                Err(error) => tracing::warn!(%error, "gateway.subscribe"),
            }
            let jittered = pause.mul_f64(rand::random_range(0.5..1.0));
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(jittered) => {}
            }
            pause = (pause * 2).min(std::time::Duration::from_secs(1));
        }
    }

    /// A subscription stands: everything is registered under its id, and after a loss clients are told.
    async fn begin(&self, gateway: GatewayId, first: bool) {
        self.routes.move_to(gateway).await;
        // Of what happened in between nothing came here.
        self.shelves.forget_all();
        let watched = self.watchers.all();
        if !watched.is_empty()
            && let Err(error) = self.fanout.watch(gateway, &watched).await
        {
            tracing::warn!(%error, "gateway.watch");
        }
        self.subscribed.send_replace(Some(gateway));
        tracing::info!(%gateway, "gateway.subscribed");
        if !first {
            self.tasks.spawn(self.clone().admit_again());
            self.resync("the gateway lost its subscription", ResyncReason::SubscriptionLost);
        }
    }

    /// Tells every socket to resync, spread over some seconds so that they do not come all at once.
    fn resync(&self, reason: &str, label: ResyncReason) {
        let mut sessions: Vec<Arc<Session>> = Vec::with_capacity(self.registry.sockets());
        self.registry.for_each_session(|session| sessions.push(Arc::clone(session)));
        self.metrics.gateway.resyncs_total.get(label).inc_by(sessions.len() as u64);
        let json = encode(&ServerFrame::Resync(Resync { reason }));
        let spread = self.settings.gateway.resync_spread;
        self.tasks.spawn(async move {
            let steps = sessions.len().div_ceil(50).max(1);
            let step = spread / u32::try_from(steps).unwrap_or(u32::MAX);
            for some in sessions.chunks(50) {
                for session in some {
                    session.send_json(&json);
                }
                tokio::time::sleep(step).await;
            }
        });
    }

    /// Delivers some events, in order. An event whose members this gateway does not know waits for the store.
    pub(super) async fn handle(&self, events: Vec<Event>) {
        for event in events {
            match event.body {
                EventBody::Frame { json, stamp, except, received_ms } => {
                    if let Some(stamp) = stamp.as_ref().filter(|stamp| stamp.seq > Seq::ZERO) {
                        self.journal.note(stamp, Timestamp::now());
                    }
                    let shared = Shared::new(json);
                    let to = Recipients { except: except.as_ref(), stamp };
                    self.deliver_frame(&event.target, &shared, &to).await;
                    if received_ms > 0 {
                        let took = Timestamp::now().since(Timestamp::from_millis(received_ms));
                        self.metrics.gateway.delivery_seconds.observe(took.as_secs_f64());
                    }
                }
                EventBody::Conversation { stamp, removed } => {
                    self.conversation_changed(&event.target, stamp, removed).await;
                }
                EventBody::Outcome { session, client_id, conversation_id, result } => {
                    self.outcome(&event.target, session, client_id, conversation_id, result);
                }
                EventBody::Resync { reason } => {
                    self.shelves.forget_all();
                    self.resync(&reason, ResyncReason::FanOutSkipped);
                }
                EventBody::Expelled { deactivated, session } => {
                    if deactivated {
                        // Perhaps erased, with the texts.
                        self.shelves.forget_all();
                    }
                    self.expel(&event.target, deactivated, session);
                }
                EventBody::Forget => self.forget(&event.target),
                EventBody::Answer { request, json } => self.answers.give(request, json),
            }
        }
    }

    async fn deliver_frame(&self, target: &Target, shared: &Shared, to: &Recipients<'_>) {
        match target {
            Target::Users(users) => {
                if let Some(stamp) = to.stamp {
                    self.access.stored(stamp.conversation_id, stamp.members_seq);
                }
                for user in users {
                    self.push(user, shared, to);
                }
            }
            Target::Group(group, also) => {
                // A text or a receipt moves a position. Before anybody gets it: who logs in now either gets it too or reads again.
                self.shelves.forget(*group);
                if let Some(stamp) = to.stamp
                    && !self.know_members(*group, stamp.members_seq).await
                {
                    return;
                }
                let members = self.registry.members_here(*group);
                for user in &members {
                    self.push(user, shared, to);
                }
                for user in also.iter().filter(|user| !members.contains(user)) {
                    self.push(user, shared, to);
                }
            }
            Target::Watchers(user) => {
                for session in self.watchers.of(user) {
                    shared.put(&session, None);
                }
            }
            Target::Gateway(_) | Target::Everyone => {
                self.registry.for_each_session(|session| shared.put(session, None));
            }
        }
    }

    fn push(&self, user: &UserId, shared: &Shared, to: &Recipients<'_>) {
        if to.except != Some(user) {
            self.registry.for_each_session_of(user, |session| {
                if session.awaits_accepted() {
                    // On the embedded backends the sender's own message is here first, and `accepted` right behind it.
                    session.outbox.event_later(shared.frame(session), to.stamp);
                    self.late.wake(Arc::clone(session));
                } else {
                    shared.put(session, to.stamp);
                }
            });
        }
    }

    /// Loads a group's members when they changed since this gateway last did. `false`: without them nobody here gets the event, for
    /// it cannot be known who may. They are told to resync, and the next event tries again.
    async fn know_members(&self, group: ConversationId, members_seq: Seq) -> bool {
        self.access.members_changed(group, members_seq);
        if !self.registry.has_group(group) || self.registry.knows_members(group, members_seq) {
            return true;
        }
        match self.access.load(group).await {
            Ok(Some(known)) => self.registry.set_members(&known.view),
            Ok(None) => {}
            Err(problem) => {
                tracing::warn!(problem = problem.message, "gateway.members");
                for user in self.registry.members_here(group) {
                    self.registry.for_each_session_of(&user, |session| {
                        session.answer(&ServerFrame::Resync(Resync { reason: "members changed" }));
                    });
                }
                return false;
            }
        }
        true
    }

    /// A conversation was made, changed, or users came or went: their sockets get it as they see it now.
    async fn conversation_changed(&self, target: &Target, stamp: Stamp, removed: bool) {
        let id = stamp.conversation_id;
        self.shelves.forget(id);
        let users = match target {
            Target::Users(users) => users.clone(),
            Target::Group(group, _) => {
                self.know_members(*group, stamp.members_seq).await;
                self.registry.members_here(*group)
            }
            Target::Watchers(_) | Target::Gateway(_) | Target::Everyone => return,
        };
        let users: Vec<UserId> = users.into_iter().filter(|user| self.registry.is_connected(user)).collect();
        if users.is_empty() {
            return;
        }
        self.access.members_changed(id, stamp.members_seq);
        if removed {
            let shared = Shared::new(encode(&ServerFrame::Conversation(ConversationFrame::removed(id))));
            let mut closed = Vec::new();
            for user in &users {
                self.registry.for_each_session_of(user, |session| shared.put(session, None));
                if self.registry.leave(id, user) {
                    closed.push(id);
                }
            }
            self.routes.groups(closed).await;
            return;
        }
        if !id.is_direct() {
            self.join(id, &users, stamp.members_seq).await;
        }
        let gateway = self.clone();
        // Beside the deliveries: what follows must not wait for the store.
        self.tasks.spawn(async move { gateway.show(id, &users).await });
    }

    /// Users who are connected here became members of a group; its route is there when this returns.
    pub(super) async fn join(&self, id: ConversationId, users: &[UserId], members_seq: Seq) {
        let membership = crate::model::Membership { conversation_id: id, members_seq };
        let mut opened = Vec::new();
        for user in users {
            opened.extend(self.registry.join(user, &[membership]));
        }
        self.shelves.forget_each(&opened);
        self.routes.groups(opened).await;
    }

    /// Sends users a conversation as each of them sees it.
    pub(super) async fn show(&self, id: ConversationId, users: &[UserId]) {
        match self.store.conversation_for(id, users).await {
            Ok(seen) => {
                for (user, conversation) in users.iter().zip(&seen) {
                    let Some(conversation) = conversation else { continue };
                    let frame = ServerFrame::Conversation(ConversationFrame::Changed { conversation });
                    let shared = Shared::new(encode(&frame));
                    self.registry.for_each_session_of(user, |session| shared.put(session, None));
                }
            }
            Err(error) => tracing::warn!(%error, "gateway.show_conversation"),
        }
    }

    fn outcome(
        &self,
        target: &Target,
        session: SessionId,
        client_id: crate::model::ClientId,
        conversation_id: ConversationId,
        result: Result<Seq, Refusal>,
    ) {
        if self.requests.answer(session, client_id, result) {
            return;
        }
        let (Target::Users(users), Err(refusal)) = (target, result) else { return };
        let problem = problem_of(refusal);
        self.metrics.gateway.messages_rejected_total.get(super::meters::rejection(problem.code)).inc();
        for user in users {
            self.registry.for_each_session_of(user, |other| {
                if other.id == session {
                    other.refuse_in(Some(conversation_id), None, Some(client_id), &problem);
                }
            });
        }
    }

    fn expel(&self, target: &Target, deactivated: bool, sign_in: Option<SessionId>) {
        let Target::Users(users) = target else { return };
        let now = Timestamp::now();
        for user in users {
            self.registry.for_each_session_of(user, |session| {
                let hit = match sign_in {
                    Some(_) => session.sign_in == sign_in,
                    // A token made after the revocation, and shown meanwhile, is good.
                    None => deactivated || session.issued_at().is_none_or(|issued| issued <= now),
                };
                if hit {
                    session.close(CloseCode::Expelled);
                }
            });
        }
    }

    /// Blocks between these users changed.
    fn forget(&self, target: &Target) {
        if let Target::Users(users) = target
            && let [one, other] = users.as_slice()
        {
            self.access.forget(ConversationId::direct(one, other));
        }
    }
}

/// The answer to the sender of an entry that was refused after it was accepted.
pub(super) fn problem_of(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::NotFound => Problem::no_conversation(),
        Refusal::Forbidden => Problem::new(ErrorCode::Forbidden, "you may not do this any more"),
        Refusal::Conflict => Problem::new(ErrorCode::Conflict, "it does not fit what is there now"),
        Refusal::Rejected => Problem::new(ErrorCode::Internal, "the message could not be stored"),
    }
}

struct Recipients<'a> {
    except: Option<&'a UserId>,
    stamp: Option<Stamp>,
}

/// A frame that many sockets get: encoded once in each encoding.
struct Shared {
    json: Bytes,
    packed: OnceLock<Bytes>,
}

impl Shared {
    fn new(json: Bytes) -> Self {
        Self { json, packed: OnceLock::new() }
    }

    fn frame(&self, session: &Session) -> Bytes {
        match session.encoding {
            Encoding::Json => self.json.clone(),
            Encoding::MessagePack => {
                self.packed.get_or_init(|| Encoding::MessagePack.from_json(&self.json)).clone()
            }
        }
    }

    fn put(&self, session: &Session, stamp: Option<Stamp>) {
        session.outbox.event(self.frame(session), stamp);
    }
}
