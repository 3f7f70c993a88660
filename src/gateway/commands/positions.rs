//! `ack` and `read`: how far a device received and a user read.

use std::sync::Arc;

use super::Work;
use crate::gateway::Gateway;
use crate::gateway::access::{Action, Asking};
use crate::gateway::session::{Problem, Session};
use crate::model::{ConversationId, DeviceId, Seq, UserId};
use crate::protocol::{Ack, Read, Ref};

impl Gateway {
    pub(super) fn acknowledge(self, session: Arc<Session>, reference: Option<Ref>, ack: Ack) -> Option<Work> {
        self.for_member(session, reference, ack.conversation_id, ack.seq, |gateway, session, id, seq| {
            let device = session.device_id.as_ref();
            gateway.positions.acknowledged(id, &session.user_id, device, session.is_active(), seq);
        })
    }

    pub(super) fn read(self, session: Arc<Session>, reference: Option<Ref>, read: Read) -> Option<Work> {
        self.for_member(session, reference, read.conversation_id, read.seq, |gateway, session, id, seq| {
            gateway.positions.read(id, &session.user_id, session.device_id.as_ref(), seq);
        })
    }

    /// Notes that a device has everything up to `seq`, which nobody need have seen: a notification extension said so.
    ///
    /// # Errors
    /// The user is no member, or the store is away.
    pub async fn acknowledge_in_background(
        &self,
        user: &UserId,
        device: &DeviceId,
        id: ConversationId,
        seq: Seq,
    ) -> Result<(), Problem> {
        let asking = Asking { id: user, connected: false };
        self.access.check(id, &asking, Action::Take).await?;
        self.positions.acknowledged(id, user, Some(device), false, seq);
        Ok(())
    }

    /// Notes a position when the user is a member, at once when the gateway knows that.
    fn for_member(
        self,
        session: Arc<Session>,
        reference: Option<Ref>,
        id: ConversationId,
        seq: Seq,
        note: impl FnOnce(&Self, &Session, ConversationId, Seq) + Send + 'static,
    ) -> Option<Work> {
        if self.access.known(id, &session.asking(), Action::Take).is_some() {
            note(&self, &session, id, seq);
            return None;
        }
        Some(Box::pin(async move {
            let checked: Result<_, Problem> = self.access.check(id, &session.asking(), Action::Take).await;
            match checked {
                Ok(_) => note(&self, &session, id, seq),
                Err(problem) => session.refuse(reference.as_ref(), None, &problem),
            }
        }))
    }
}
