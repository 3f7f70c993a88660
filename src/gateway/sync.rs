//! Synchronising a client: every conversation of its user, and what is missing after its cursors.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::Gateway;
use super::session::{Problem, Session};
use super::turns::Turn;
use crate::model::{Conversation, ConversationId, ConversationKind, Entry, Membership, Seq};
use crate::protocol::{MAX_SERVER_FRAME, Message, Ref, ServerFrame, SyncFrame, SyncItem, encode_part};
use crate::store::{PageOf, Span};

/// Conversations that are read at a time.
const PAGE: usize = 200;
/// Conversations whose missing messages are in memory at a time, up to 100 of 24 KiB each.
const SPANS: usize = 20;
/// Messages of one conversation in a sync; the client asks for the rest.
const MESSAGES: usize = 100;
/// A frame of a sync is begun anew past so many bytes. The WebSocket library keeps a buffer as long as the longest frame for as long as
/// the socket lives, so one frame with all that a login brings would cost each socket that much memory.
const FRAME: usize = 16 * 1024;
/// Room for what stands around the items of a frame.
const ENVELOPE: usize = 512;
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
        let mut frames = Frames { session, reference, turn, items: Vec::new(), bytes: ENVELOPE };
        let mut after = None;
        loop {
            let page = PageOf { user_id: session.user_id.clone(), after, limit: PAGE };
            let conversations = self.logins.page(page).await?;
            self.join_missed(session, &conversations).await;
            let behind: Vec<Span> = behind(session, &conversations, &cursors).collect();
            let mut behind = behind.chunks(SPANS);
            let mut missing: HashMap<ConversationId, Vec<Entry>> = HashMap::new();
            for conversation in &conversations {
                let cursor = cursors.remove(&conversation.id);
                if cursor.is_some_and(|cursor| cursor < conversation.last_seq)
                    && !missing.contains_key(&conversation.id)
                    && let Some(spans) = behind.next()
                {
                    let entries = self.store.spans(spans).await?;
                    missing = spans.iter().map(|span| span.conversation_id).zip(entries).collect();
                }
                covered.insert(conversation.id, conversation.last_seq);
                let entries = missing.get(&conversation.id).map_or(&[][..], Vec::as_slice);
                frames.put(&present(conversation, entries)).await;
            }
            after = conversations.last().map(|conversation| conversation.id);
            if conversations.len() < PAGE {
                break;
            }
        }
        for id in cursors.into_keys() {
            frames.put(&encode_part(&SyncItem::removed(id))).await;
        }
        frames.write(true);
        let covers = |stamp: &crate::model::Stamp| {
            stamp.seq > Seq::ZERO
                && covered.get(&stamp.conversation_id).is_some_and(|last_seq| stamp.seq <= *last_seq)
        };
        session.outbox.release(covers);
        frames.turn.taken(session.outbox.emptied()).await;
        Ok(())
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
            self.routes.groups(self.registry.join(&session.user_id, &missed)).await;
        }
    }
}

/// The oldest entries after the client's cursors, of those conversations where some are missing.
fn behind<'a>(
    session: &'a Session,
    conversations: &'a [Conversation],
    cursors: &'a HashMap<ConversationId, Seq>,
) -> impl Iterator<Item = Span> + 'a {
    conversations.iter().filter_map(|conversation| {
        let after = *cursors.get(&conversation.id)?;
        (after < conversation.last_seq).then(|| Span {
            conversation_id: conversation.id,
            user_id: session.user_id.clone(),
            after,
            up_to: conversation.last_seq,
            limit: MESSAGES,
        })
    })
}

/// A conversation with its missing entries, as many as fit.
fn present(conversation: &Conversation, entries: &[Entry]) -> Box<RawValue> {
    let (messages, cut) = fitting(entries.iter(), ITEM_BUDGET);
    let reached = entries.get(..messages.len()).and_then(<[Entry]>::last).map(|entry| entry.seq);
    let limited = cut || reached.is_some_and(|seq| seq < conversation.last_seq);
    encode_part(&SyncItem::Present { conversation, messages: &messages, limited })
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

/// Gathers items into frames that are short enough.
struct Frames<'a> {
    session: &'a Session,
    reference: Option<&'a Ref>,
    turn: Turn<'a>,
    items: Vec<Box<RawValue>>,
    bytes: usize,
}

impl Frames<'_> {
    /// A frame that is full goes out before the next is begun.
    async fn put(&mut self, item: &RawValue) {
        let bytes = item.get().len() + 1;
        if self.bytes + bytes > FRAME && !self.items.is_empty() {
            self.write(false);
            self.turn.taken(self.session.outbox.emptied()).await;
        }
        self.bytes += bytes;
        self.items.push(item.to_owned());
    }

    fn write(&mut self, done: bool) {
        self.session.answer(&ServerFrame::Sync(SyncFrame {
            reference: self.reference.map(|text| &**text),
            conversations: &self.items,
            done,
        }));
        self.items.clear();
        self.bytes = ENVELOPE;
    }
}
