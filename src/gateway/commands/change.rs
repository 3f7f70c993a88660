//! `edit`, `delete`, `react`: entries that aim at another, which is looked at before they are accepted.

use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::time::Instant;

use super::send::{check_data, check_text};
use crate::gateway::Gateway;
use crate::gateway::access::{Action, Asking};
use crate::gateway::session::{Problem, Session};
use crate::model::{Body, ClientId, ConversationId, EntryKind, NewEntry, Role, Seq, Timestamp, UserId, View};
use crate::protocol::{Delete, Edit, ErrorCode, React, Ref};
use crate::store::Target;

/// A change of an entry that is there.
#[derive(Debug)]
pub struct Change {
    pub conversation_id: ConversationId,
    pub client_id: ClientId,
    pub target_seq: Seq,
    pub what: What,
}

#[derive(Debug)]
pub enum What {
    Edit { text: Option<String>, data: Option<Box<RawValue>> },
    Delete,
    React { emoji: String, remove: bool },
}

/// An emoji may be made of many code points; a sentence is none.
const MAX_EMOJI: usize = 64;

impl From<Edit> for Change {
    fn from(edit: Edit) -> Self {
        Self {
            conversation_id: edit.conversation_id,
            client_id: edit.client_id,
            target_seq: edit.target_seq,
            what: What::Edit { text: edit.text, data: edit.data },
        }
    }
}

impl From<Delete> for Change {
    fn from(delete: Delete) -> Self {
        Self {
            conversation_id: delete.conversation_id,
            client_id: delete.client_id,
            target_seq: delete.target_seq,
            what: What::Delete,
        }
    }
}

impl From<React> for Change {
    fn from(react: React) -> Self {
        Self {
            conversation_id: react.conversation_id,
            client_id: react.client_id,
            target_seq: react.target_seq,
            what: What::React { emoji: react.emoji, remove: react.remove },
        }
    }
}

impl Gateway {
    pub(super) async fn change_frame(self, session: Arc<Session>, reference: Option<Ref>, change: Change) {
        let client_id = change.client_id;
        let checked = match session.take_message(Instant::now()) {
            Ok(()) => self.check_change(&session.asking(), change).await,
            Err(problem) => Err(problem),
        };
        match checked {
            Ok(entry) => self.submit_for(session, reference, entry),
            Err(problem) => self.reject(&session, reference.as_ref(), client_id, &problem),
        }
    }

    /// The entry of a change that this user may make.
    pub async fn check_change(&self, asking: &Asking<'_>, change: Change) -> Result<NewEntry, Problem> {
        let limits = &self.settings.gateway;
        match &change.what {
            What::Edit { text, data } => {
                let text = text.as_deref().unwrap_or_default();
                if text.is_empty() && data.is_none() {
                    return Err(Problem::bad_request("an edit needs `text` or `data`"));
                }
                check_text(text, limits.max_text_bytes)?;
                check_data(data.as_deref(), limits.max_data_bytes)?;
            }
            What::React { emoji, .. } => {
                if emoji.is_empty() || emoji.len() > MAX_EMOJI || emoji.chars().any(char::is_control) {
                    return Err(Problem::bad_request(format!("`emoji` is 1 to {MAX_EMOJI} bytes")));
                }
            }
            What::Delete => {}
        }
        let known = self.access.check(change.conversation_id, asking, Action::Take).await?;
        let target = self.store.target(change.conversation_id, asking.id, change.target_seq).await?;
        let Some(target) = target else {
            return Err(Problem::new(ErrorCode::NotFound, "there is no such message"));
        };
        if !self.is_repeated(asking.id, &change).await? {
            judge(&change.what, &target, asking.id, &known.view)?;
        }
        Ok(entry(change, asking.id, &known.view))
    }

    /// Sent again after it was stored: what stands in its way now it did itself.
    async fn is_repeated(&self, sender: &UserId, change: &Change) -> Result<bool, Problem> {
        Ok(self.store.find(change.conversation_id, sender, change.client_id).await?.is_some())
    }
}

fn judge(what: &What, target: &Target, user: &UserId, view: &View) -> Result<(), Problem> {
    if target.kind != EntryKind::Text {
        return Err(Problem::new(ErrorCode::Conflict, "only messages can be changed"));
    }
    let own = target.sender_id == *user;
    let allowed = match what {
        What::Edit { .. } => own,
        What::Delete => own || (target.role.manages() && view.kind != crate::model::ConversationKind::Direct),
        What::React { .. } => true,
    };
    if !allowed {
        return Err(Problem::new(ErrorCode::Forbidden, "this message is not yours to change"));
    }
    if matches!(what, What::Edit { .. }) && !may_write(view, target.role) {
        return Err(Problem::new(ErrorCode::Forbidden, "only owner and admins write in a channel"));
    }
    if target.deleted {
        return Err(Problem::new(ErrorCode::Conflict, "the message is deleted"));
    }
    Ok(())
}

fn may_write(view: &View, role: Role) -> bool {
    view.kind != crate::model::ConversationKind::Channel || role.manages()
}

fn entry(change: Change, sender: &UserId, view: &View) -> NewEntry {
    let target_seq = Some(change.target_seq);
    let (kind, body) = match change.what {
        What::Edit { text, data } => (EntryKind::Edit, Body { text, data, target_seq, ..Body::default() }),
        What::Delete => (EntryKind::Delete, Body { target_seq, ..Body::default() }),
        What::React { emoji, remove } => {
            (EntryKind::Reaction, Body { emoji: Some(emoji), remove, target_seq, ..Body::default() })
        }
    };
    NewEntry {
        conversation_id: change.conversation_id,
        sender_id: sender.clone(),
        client_id: change.client_id,
        kind,
        body,
        peer: view.peer_of(sender).cloned(),
        create: false,
        provision: false,
        received_ms: Timestamp::now().as_millis(),
        origin: None,
        push: None,
    }
}
