//! Appending a batch.
//!
//! One thread writes, so the batch is taken entry by entry: what SQLite needs is few pages and few
//! statements an entry (for a text in a direct conversation: one insert), not few round trips.

use rusqlite::Connection;

use super::super::conversations::{self, Maker};
use super::head::{Head, Heads};
use super::{effects, read, rights, row};
use crate::model::{ConversationId, EntryKind, MessageId, NewEntry, Refusal, Role};
use crate::store::{Appended, Audience, Created, StoreError, Stored};

/// Does nothing when the sender used the client id in this conversation before.
const INSERT: &str = "
    INSERT INTO messages (place, id, kind, sender_id, client_id, text, data, target_seq, extra, created_at, texts)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING";
const MOVE_SENDER: &str = "
    UPDATE members SET read_seq = ?3, read_texts = ?4 WHERE conversation_id = ?1 AND user_id = ?2";

pub(super) fn append(connection: &Connection, batch: &[NewEntry]) -> Result<Vec<Appended>, StoreError> {
    let mut heads = Heads::default();
    let mut outcomes = Vec::with_capacity(batch.len());
    for entry in batch {
        outcomes.push(one(connection, &mut heads, entry)?);
    }
    heads.save(connection)?;
    Ok(outcomes)
}

fn one(connection: &Connection, heads: &mut Heads, entry: &NewEntry) -> Result<Appended, StoreError> {
    refuse_nul(entry)?;
    if heads.get(connection, entry.conversation_id)?.is_none() {
        if !entry.create {
            return Ok(Appended::Refused(Refusal::NotFound));
        }
        if let Err(refusal) = create(connection, entry)? {
            return Ok(Appended::Refused(refusal));
        }
    }
    let Some(head) = heads.get(connection, entry.conversation_id)? else {
        return Ok(Appended::Refused(Refusal::NotFound));
    };
    let right = rights::check(connection, head, entry)?;
    match (entry.kind, right) {
        (EntryKind::Text, Ok(_)) => match insert(connection, head, entry)? {
            Some(id) => Ok(stored(head, id, Audience::default())),
            None => repeated(connection, head, entry)?
                .ok_or_else(|| refused("the log has an entry where the next one belongs")),
        },
        (_, right) => {
            if let Some(repeated) = repeated(connection, head, entry)? {
                return Ok(repeated);
            }
            match right {
                Ok(role) => with_effect(connection, head, entry, role),
                Err(refusal) => Ok(Appended::Refused(refusal)),
            }
        }
    }
}

fn with_effect(
    connection: &Connection,
    head: &mut Head,
    entry: &NewEntry,
    role: Role,
) -> Result<Appended, StoreError> {
    let audience = match effects::apply(connection, head, entry, role)? {
        Ok(audience) => audience,
        Err(refusal) => return Ok(Appended::Refused(refusal)),
    };
    let id = insert(connection, head, entry)?
        .ok_or_else(|| refused("the log has an entry where the next one belongs"))?;
    Ok(stored(head, id, audience))
}

/// Gives the entry the next seq; `None` when its sender used its client id before.
fn insert(
    connection: &Connection,
    head: &mut Head,
    entry: &NewEntry,
) -> Result<Option<MessageId>, StoreError> {
    let seq = head.last_seq.next();
    if seq.get() > row::LAST_SEQ {
        return Err(refused("the conversation is full"));
    }
    let is_text = entry.kind == EntryKind::Text;
    let id = MessageId::new();
    let texts = head.text_count + i64::from(is_text);
    if !insert_row(connection, row::place(head.number, seq), id, texts, entry)? {
        return Ok(None);
    }
    head.advance(&entry.sender_id, is_text);
    if head.pair.is_none() {
        connection.prepare_cached(MOVE_SENDER)?.execute((
            head.id,
            &entry.sender_id,
            head.last_seq,
            head.text_count,
        ))?;
    }
    Ok(Some(id))
}

/// `false` when its sender used its client id before.
pub(super) fn insert_row(
    connection: &Connection,
    place: i64,
    id: MessageId,
    texts: i64,
    entry: &NewEntry,
) -> Result<bool, StoreError> {
    let body = &entry.body;
    let inserted = connection.prepare_cached(INSERT)?.execute((
        place,
        &id.as_uuid().into_bytes()[..],
        entry.kind,
        &entry.sender_id,
        &entry.client_id.as_uuid().into_bytes()[..],
        &body.text,
        body.data.as_ref().map(|data| data.get()),
        body.target_seq,
        row::extra(body)?,
        entry.received_ms,
        texts,
    ))?;
    Ok(inserted == 1)
}

pub(super) fn stored(head: &Head, id: MessageId, audience: Audience) -> Appended {
    Appended::Stored(Stored {
        seq: head.last_seq,
        id,
        kind: head.kind,
        members_seq: head.members_seq,
        audience,
        original: None,
    })
}

/// What this sender stored under this client id before, whether or not they may still write.
pub(super) fn repeated(
    connection: &Connection,
    head: &Head,
    entry: &NewEntry,
) -> Result<Option<Appended>, StoreError> {
    let found = read::by_client_id(connection, head.id, head.number, &entry.sender_id, entry.client_id)?;
    let Some(original) = found else {
        return Ok(None);
    };
    Ok(Some(Appended::Stored(Stored {
        seq: original.seq,
        id: original.id,
        kind: head.kind,
        members_seq: head.members_seq,
        audience: effects::audience_of(connection, &original)?,
        original: Some(Box::new(original)),
    })))
}

/// Makes the direct conversation that the entry opens.
fn create(connection: &Connection, entry: &NewEntry) -> Result<Result<(), Refusal>, StoreError> {
    let sender = &entry.sender_id;
    let Some(peer) = entry.peer.as_ref().filter(|peer| *peer != sender) else {
        return Ok(Err(Refusal::NotFound));
    };
    if ConversationId::direct(sender, peer) != entry.conversation_id {
        return Ok(Err(Refusal::NotFound));
    }
    let maker = Maker { provision: entry.provision, at: entry.received_at() };
    Ok(match conversations::make_direct(connection, sender, peer, &maker)? {
        Created::New(_) | Created::Existed(_) => Ok(()),
        Created::UnknownUser(_) => Err(Refusal::NotFound),
    })
}

/// The other backend cannot keep a NUL; what one refuses the other does too.
pub(super) fn refuse_nul(entry: &NewEntry) -> Result<(), StoreError> {
    let body = &entry.body;
    let texts = [body.text.as_deref(), body.emoji.as_deref()];
    if texts.into_iter().flatten().any(|text| text.contains('\0')) {
        return Err(refused("a text contains a NUL character"));
    }
    Ok(())
}

pub(super) fn refused(message: &str) -> StoreError {
    StoreError::Refused { message: message.to_owned(), source: None }
}
