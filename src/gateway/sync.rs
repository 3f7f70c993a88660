//! Synchronising a client: every conversation of its user, and what is missing after its cursors.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use futures_util::future::try_join_all;
use serde_json::value::RawValue;

use super::Gateway;
use super::packing::Packing;
use super::session::{Problem, Session};
use super::shelf::{Messages, Missing};
use crate::model::{Conversation, ConversationId, ConversationKind, Entry, Membership, Seq, ShownMembers};
use crate::protocol::{MAX_SERVER_FRAME, Message, Ref, Shown, SyncItem, encode_part};
use crate::store::{PageOf, Span};

/// Conversations that are read at a time.
const PAGE: usize = 200;
/// Conversations whose missing messages are in memory at a time, up to 100 of 24 KiB each.
const AT_ONCE: usize = 20;
/// Messages of one conversation in a sync; the client asks for the rest.
const MESSAGES: usize = 100;
/// Bytes of messages of one conversation, so that an item fits into a frame beside its up to 100 members.
const ITEM_BUDGET: usize = MAX_SERVER_FRAME / 2;

impl Gateway {
    /// Writes `sync` frames, then lets live events through that they did not cover.
    pub(super) async fn sync(
        &self,
        session: &Arc<Session>,
        reference: Option<&Ref>,
        mut cursors: HashMap<ConversationId, Seq>,
    ) -> Result<(), Problem> {
        let mut covered: HashMap<ConversationId, Seq> = HashMap::new();
        let turn = self.turns.wait().await;
        let visit = self.shelves.visit();
        let mut packing = Packing::new(session, reference, turn);
        let mut after = None;
        loop {
            let page = PageOf { user_id: session.user_id.clone(), after, limit: PAGE };
            let conversations = self.logins.page(page).await?;
            self.join_missed(session, &conversations).await;
            for some in conversations.chunks(AT_ONCE) {
                let asked = some.iter().map(|one| self.synced(session, one, cursors.remove(&one.id)));
                for (conversation, parts) in some.iter().zip(try_join_all(asked.collect::<Vec<_>>()).await?) {
                    covered.insert(conversation.id, conversation.last_seq);
                    packing.put(&parts.item(conversation)).await;
                }
            }
            after = conversations.last().map(|conversation| conversation.id);
            if conversations.len() < PAGE {
                break;
            }
        }
        for id in cursors.into_keys() {
            packing.put(&SyncItem::removed(id)).await;
        }
        packing.finish();
        drop(visit);
        let covers = |stamp: &crate::model::Stamp| {
            stamp.seq > Seq::ZERO
                && covered.get(&stamp.conversation_id).is_some_and(|last_seq| stamp.seq <= *last_seq)
        };
        session.outbox.release(covers);
        packing.taken().await;
        Ok(())
    }

    /// What of a conversation goes to its member who has it up to `cursor`.
    async fn synced(
        &self,
        session: &Session,
        conversation: &Conversation,
        cursor: Option<Seq>,
    ) -> Result<Parts, Problem> {
        let (members, messages) =
            tokio::try_join!(self.members_of(conversation), self.missing_in(session, conversation, cursor),)?;
        Ok(Parts { members, messages })
    }

    async fn members_of(&self, conversation: &Conversation) -> Result<Arc<Box<RawValue>>, Problem> {
        if conversation.kind == ConversationKind::Direct {
            return Ok(Arc::new(encode_part(&ShownMembers(&conversation.members))));
        }
        let read = async || {
            let members = self.logins.members(conversation.id).await?;
            Ok(encode_part(&ShownMembers(&members)))
        };
        self.shelves.members.get(conversation.id, conversation.last_seq, read).await
    }

    /// The oldest entries after the member's cursor, when some are missing.
    async fn missing_in(
        &self,
        session: &Session,
        conversation: &Conversation,
        cursor: Option<Seq>,
    ) -> Result<Option<Arc<Messages>>, Problem> {
        let (id, up_to) = (conversation.id, conversation.last_seq);
        let Some(after) = cursor.filter(|cursor| *cursor < up_to) else { return Ok(None) };
        let read = async || {
            let user_id = session.user_id.clone();
            let span = Span { conversation_id: id, user_id, after, up_to, limit: MESSAGES };
            let entries = self.logins.span(span).await?;
            Ok(messages_of(&entries, up_to))
        };
        if conversation.kind == ConversationKind::Direct {
            return read().await.map(|messages| Some(Arc::new(messages)));
        }
        let missing = Missing { conversation_id: id, after, up_to, first_seq: conversation.first_seq };
        self.shelves.messages.get(missing, up_to, read).await.map(Some)
    }
}

impl Gateway {
    /// The event by which a user joined a group may have been lost: then this gateway holds nobody of it for them, and it never
    /// becomes live.
    async fn join_missed(&self, session: &Session, conversations: &[Conversation]) {
        let groups = conversations.iter().filter(|one| one.kind != ConversationKind::Direct);
        let missed: Vec<Membership> = groups
            .filter(|one| !self.registry.has_member(one.id, &session.user_id))
            // Not known of which change: the next event has the members loaded.
            .map(|one| Membership { conversation_id: one.id, members_seq: Seq::ZERO })
            .collect();
        if !missed.is_empty() {
            let opened = self.registry.join(&session.user_id, &missed);
            self.shelves.forget_each(&opened);
            self.routes.groups(opened).await;
        }
    }
}

static NOTHING: LazyLock<Box<RawValue>> = LazyLock::new(|| encode_part(&[(); 0]));

/// What is the same for many members of a conversation, encoded.
struct Parts {
    members: Arc<Box<RawValue>>,
    messages: Option<Arc<Messages>>,
}

impl Parts {
    fn item<'a>(&'a self, conversation: &'a Conversation) -> SyncItem<'a> {
        let messages = self.messages.as_deref();
        SyncItem::Present {
            conversation: Shown::new(conversation, &self.members),
            messages: messages.map_or(&**NOTHING, |messages| &*messages.json),
            limited: messages.is_some_and(|messages| messages.limited),
        }
    }
}

/// The missing entries up to a seq, as many as fit.
fn messages_of(entries: &[Entry], up_to: Seq) -> Messages {
    let (messages, cut) = fitting(entries.iter(), ITEM_BUDGET);
    let reached = entries.get(..messages.len()).and_then(<[Entry]>::last).map(|entry| entry.seq);
    Messages { json: encode_part(&messages), limited: cut || reached.is_some_and(|seq| seq < up_to) }
}

/// Encodes entries until `budget` bytes are reached; whether some were left out. The first always fits: an entry is far smaller.
pub(super) fn fitting<'a>(
    entries: impl Iterator<Item = &'a Entry>,
    budget: usize,
) -> (Vec<Box<RawValue>>, bool) {
    let mut messages = Vec::new();
    let mut bytes = 0;
    for entry in entries {
        let message = encode_part(&Message::from(entry));
        bytes += message.get().len() + 1;
        if bytes > budget && !messages.is_empty() {
            return (messages, true);
        }
        messages.push(message);
    }
    (messages, false)
}
