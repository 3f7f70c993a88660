//! `typing`: told to the other members, and worth nothing later.

use std::sync::Arc;

use tokio::time::Instant;

use super::Work;
use crate::gateway::Gateway;
use crate::gateway::access::{Action, Known};
use crate::gateway::session::Session;
use crate::model::{ConversationKind, Event, EventBody, Target};
use crate::protocol::{Ref, ServerFrame, Typing, TypingNotice, encode};

impl Gateway {
    pub(super) fn typing(
        self,
        session: Arc<Session>,
        reference: Option<Ref>,
        typing: TypingNotice,
    ) -> Option<Work> {
        let id = typing.conversation_id;
        if !session.may_type(id, Instant::now()) {
            return None;
        }
        if let Some(known) = self.access.known(id, &session.asking(), Action::Take) {
            self.tell_typing(&session, &known);
            return None;
        }
        Some(Box::pin(async move {
            match self.access.check(id, &session.asking(), Action::Take).await {
                Ok(known) => self.tell_typing(&session, &known),
                Err(problem) => session.refuse(reference.as_ref(), None, &problem),
            }
        }))
    }

    fn tell_typing(&self, session: &Session, known: &Known) {
        let view = &known.view;
        if view.members.len() > self.settings.gateway.receipts_max_members {
            return;
        }
        let target = match view.kind {
            ConversationKind::Direct => {
                Target::Users(view.peer_of(&session.user_id).into_iter().cloned().collect())
            }
            ConversationKind::Group | ConversationKind::Channel => Target::Group(view.id, Vec::new()),
        };
        let frame = ServerFrame::Typing(Typing { conversation_id: view.id, user_id: &session.user_id });
        self.ephemeral.publish(Event {
            target,
            body: EventBody::Frame {
                json: encode(&frame),
                stamp: None,
                except: Some(session.user_id.clone()),
                received_ms: 0,
            },
        });
    }
}
