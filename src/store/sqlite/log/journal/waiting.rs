//! Texts that wait, and whether one that comes is among what came before.

use std::sync::Arc;
use std::time::Instant;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::model::{ClientId, Entry, MessageId, NewEntry, Seq, UserId};
use crate::store::sqlite::log::head::Head;
use crate::store::sqlite::log::read;
use crate::store::{Appended, Audience, StoreError, Stored};

pub(super) struct Waiting {
    pub since: Instant,
    pub texts: Vec<Text>,
}

/// One text that waits.
pub(super) struct Text {
    pub row: i64,
    pub batch: Arc<[NewEntry]>,
    pub index: usize,
    pub place: Placed,
}

impl Text {
    pub fn entry(&self) -> &NewEntry {
        &self.batch[self.index]
    }

    pub fn bytes(&self) -> usize {
        let body = &self.entry().body;
        body.text.as_ref().map_or(0, String::len) + body.data.as_ref().map_or(0, |data| data.get().len())
    }
}

/// What it was answered to be.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Placed {
    pub seq: Seq,
    pub id: MessageId,
    /// Texts of the conversation up to and with this one.
    pub texts: i64,
}

impl Waiting {
    pub fn find(&self, entry: &NewEntry) -> Option<&Text> {
        self.texts.iter().find(|text| {
            let other = text.entry();
            other.client_id == entry.client_id && other.sender_id == entry.sender_id
        })
    }

    fn newest(&self, sender: &UserId) -> Option<ClientId> {
        let theirs = self.texts.iter().map(Text::entry).filter(|entry| entry.sender_id == *sender);
        theirs.map(|entry| entry.client_id).max()
    }
}

/// Whether the client id is greater than all that its sender used in the conversation, so that nothing has to be looked up. Ids in
/// the order of time (UUIDv7) always are.
pub(super) fn is_news(
    connection: &Connection,
    head: &mut Head,
    waiting: Option<&Waiting>,
    entry: &NewEntry,
) -> Result<bool, StoreError> {
    let number = head.number;
    let Some(newest) = head.newest_of(&entry.sender_id) else { return Ok(false) };
    let known = match *newest {
        Some(known) => known,
        None => {
            let stored = read::newest_client_id(connection, number, &entry.sender_id)?;
            let known = stored.max(waiting.and_then(|waiting| waiting.newest(&entry.sender_id)));
            *newest.insert(known.unwrap_or(ClientId::from_uuid(uuid::Uuid::nil())))
        }
    };
    Ok(entry.client_id > known)
}

/// The answer to what is here already.
pub(super) fn repeated(head: &Head, text: &Text) -> Appended {
    let new = text.entry();
    let original = Entry {
        conversation_id: new.conversation_id,
        seq: text.place.seq,
        id: text.place.id,
        kind: new.kind,
        sender_id: new.sender_id.clone(),
        client_id: Some(new.client_id),
        body: new.body.clone(),
        created_at: new.received_at(),
        edited_at: None,
        deleted_at: None,
        reactions: Vec::new(),
    };
    Appended::Stored(Stored {
        seq: original.seq,
        id: original.id,
        kind: head.kind,
        members_seq: head.members_seq,
        audience: Audience::default(),
        original: Some(Box::new(original)),
    })
}
