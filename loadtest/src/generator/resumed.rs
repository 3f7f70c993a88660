//! Frames that carry many entries, and frames that the scanner leaves to a real parser.

use serde::Deserialize;
use uuid::Uuid;

use crate::checker::{Entry, Path};
use crate::scan::Wire;

use super::inbound::{Desk, find_reader};
use super::outbound;
use super::session::Session;

#[derive(Deserialize)]
struct Sync {
    #[serde(default)]
    conversations: Vec<Synced>,
    #[serde(default)]
    done: bool,
}

#[derive(Deserialize)]
struct Synced {
    conversation: Conversation,
    #[serde(default)]
    messages: Vec<Stored>,
    #[serde(default)]
    limited: bool,
    #[serde(default)]
    removed: bool,
}

#[derive(Deserialize)]
struct Conversation {
    id: Uuid,
    #[serde(default)]
    last_seq: u32,
}

/// An entry inside of `sync`, of `history`, or of an HTTP answer.
#[derive(Deserialize)]
pub struct Stored {
    pub seq: u32,
    pub id: Uuid,
    #[serde(default)]
    pub client_id: Option<Uuid>,
    #[serde(default)]
    pub sender_id: Option<String>,
    #[serde(default)]
    pub kind: String,
    #[serde(default)]
    pub conversation_id: Option<Uuid>,
}

#[derive(Deserialize)]
struct History {
    conversation_id: Uuid,
    messages: Vec<Stored>,
    #[serde(default)]
    has_more: bool,
}

impl Stored {
    pub fn entry(&self, conversation: Uuid) -> Entry<'_> {
        Entry {
            conversation_id: self.conversation_id.unwrap_or(conversation),
            seq: self.seq,
            id: self.id,
            client_id: self.client_id,
            sender_id: self.sender_id.as_deref().unwrap_or_default(),
            is_text: self.kind == "text",
        }
    }
}

/// Answers whether it was the last frame of a sync.
pub fn take_sync(session: &mut Session, desk: &mut Desk<'_>, payload: &[u8]) -> bool {
    let Ok(sync) = serde_json::from_slice::<Sync>(payload) else {
        *desk.tally.totals.errors.entry("unreadable sync".into()).or_default() += 1;
        return false;
    };
    for synced in sync.conversations {
        let id = synced.conversation.id;
        if synced.removed {
            continue;
        }
        let Some((place, reader)) = find_reader(session, desk, id) else {
            continue; // of an earlier run with the same seed
        };
        for stored in &synced.messages {
            desk.checker.received(reader, &stored.entry(id), Path::Resumed);
        }
        if !synced.messages.is_empty() && desk.shared.scenario.receipts.ack {
            session.to_acknowledge.push(place);
        }
        let cursor = desk.checker.cursor(reader);
        if synced.limited || cursor < synced.conversation.last_seq {
            ask(session, desk, id, cursor);
        }
    }
    sync.done
}

pub fn take_history(session: &mut Session, desk: &mut Desk<'_>, payload: &[u8]) {
    session.healing = session.healing.saturating_sub(1);
    let Ok(history) = serde_json::from_slice::<History>(payload) else {
        *desk.tally.totals.errors.entry("unreadable history".into()).or_default() += 1;
        return;
    };
    let id = history.conversation_id;
    let Some((_, reader)) = find_reader(session, desk, id) else {
        return;
    };
    for stored in &history.messages {
        desk.checker.received(reader, &stored.entry(id), Path::Resumed);
    }
    if history.has_more && !history.messages.is_empty() {
        let cursor = desk.checker.cursor(reader);
        ask(session, desk, id, cursor);
    }
}

/// Requests what follows `after`.
pub fn ask(session: &mut Session, desk: &mut Desk<'_>, conversation: Uuid, after: u32) {
    session.healing += 1;
    desk.tally.totals.heals += 1;
    outbound::history(session, conversation, after);
}

/// The fields of [`Wire`], parsed properly.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Loose {
    r#type: String,
    conversation_id: Option<Uuid>,
    id: Option<Uuid>,
    client_id: Option<Uuid>,
    seq: Option<u32>,
    sender_id: Option<String>,
    user_id: Option<String>,
    kind: Option<String>,
    code: Option<String>,
    status: Option<String>,
    after_ms: Option<u32>,
    done: bool,
}

impl Loose {
    pub fn parse(payload: &[u8]) -> Option<Self> {
        serde_json::from_slice(payload).ok()
    }

    pub fn wire(&self) -> Wire<'_> {
        fn bytes(text: &Option<String>) -> &[u8] {
            text.as_deref().unwrap_or_default().as_bytes()
        }
        Wire {
            kind_of_frame: self.r#type.as_bytes(),
            conversation_id: self.conversation_id,
            id: self.id,
            client_id: self.client_id,
            seq: self.seq,
            sender_id: bytes(&self.sender_id),
            user_id: bytes(&self.user_id),
            kind: bytes(&self.kind),
            code: bytes(&self.code),
            status: bytes(&self.status),
            after_ms: self.after_ms,
            done: self.done,
        }
    }
}
