//! Edits, deletes and reactions: what they do to the entry they aim at.

use rusqlite::{Connection, OptionalExtension};

use super::super::head::Head;
use super::super::row;
use crate::model::{ConversationKind, EntryKind, NewEntry, Refusal, Role, UserId};
use crate::store::StoreError;

/// Nothing below where history begins for the user.
const TARGET: &str = "
    SELECT kind, sender_id, deleted_at IS NOT NULL FROM messages
    WHERE place = ?1 AND ?2 >= coalesce(
        (SELECT first_seq FROM seen WHERE conversation_id = ?3 AND user_id = ?4), ?2 + 1)";
const EDIT: &str = "UPDATE messages SET text = ?2, data = ?3, edited_at = ?4 WHERE place = ?1";
const BLANK: &str = "
    UPDATE messages SET text = NULL, data = NULL, extra = json_remove(extra, '$.mentions'), deleted_at = ?2
    WHERE place = ?1";
const BLANK_EDITS: &str = "
    UPDATE messages SET text = NULL, data = NULL, extra = json_remove(extra, '$.mentions')
    WHERE conversation = ?1 AND target_seq = ?2 AND kind = ?3";
const REACT: &str = "
    INSERT INTO reactions (target, emoji, user_id, seq) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
const TAKE_BACK: &str = "DELETE FROM reactions WHERE target = ?1 AND emoji = ?2 AND user_id = ?3";

pub(super) fn edit(
    connection: &Connection,
    head: &Head,
    entry: &NewEntry,
) -> Result<Result<(), Refusal>, StoreError> {
    let target = match aim(connection, head, entry)? {
        Ok(target) if target.sender_id != entry.sender_id => return Ok(Err(Refusal::Forbidden)),
        Ok(target) if target.gone => return Ok(Err(Refusal::Conflict)),
        Ok(target) => target,
        Err(refusal) => return Ok(Err(refusal)),
    };
    connection.prepare_cached(EDIT)?.execute((
        target.place,
        &entry.body.text,
        entry.body.data.as_ref().map(|data| data.get()),
        entry.received_at(),
    ))?;
    Ok(Ok(()))
}

pub(super) fn delete(
    connection: &Connection,
    head: &Head,
    entry: &NewEntry,
    role: Role,
) -> Result<Result<(), Refusal>, StoreError> {
    let others_too = head.kind != ConversationKind::Direct && role.manages();
    let target = match aim(connection, head, entry)? {
        Ok(target) if target.sender_id != entry.sender_id && !others_too => {
            return Ok(Err(Refusal::Forbidden));
        }
        Ok(target) if target.gone => return Ok(Err(Refusal::Conflict)),
        Ok(target) => target,
        Err(refusal) => return Ok(Err(refusal)),
    };
    connection.prepare_cached(BLANK)?.execute((target.place, entry.received_at()))?;
    connection.prepare_cached(BLANK_EDITS)?.execute((
        head.number,
        row::seq_at(target.place),
        EntryKind::Edit,
    ))?;
    Ok(Ok(()))
}

pub(super) fn react(
    connection: &Connection,
    head: &Head,
    entry: &NewEntry,
) -> Result<Result<(), Refusal>, StoreError> {
    let target = match aim(connection, head, entry)? {
        Ok(target) if target.gone => return Ok(Err(Refusal::Conflict)),
        Ok(target) => target,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let Some(emoji) = &entry.body.emoji else {
        return Ok(Err(Refusal::Conflict));
    };
    // There already, or not there any more, is fine: it was accepted, so it appears.
    if entry.body.remove {
        connection.prepare_cached(TAKE_BACK)?.execute((target.place, emoji, &entry.sender_id))?;
    } else {
        connection.prepare_cached(REACT)?.execute((
            target.place,
            emoji,
            &entry.sender_id,
            head.last_seq.next(),
        ))?;
    }
    Ok(Ok(()))
}

struct Aim {
    place: i64,
    sender_id: UserId,
    /// No text, or not any more.
    gone: bool,
}

/// The entry's target; a conflict when there is none that the sender can see.
fn aim(connection: &Connection, head: &Head, entry: &NewEntry) -> Result<Result<Aim, Refusal>, StoreError> {
    let Some(seq) = entry.body.target_seq.filter(|seq| *seq <= head.last_seq) else {
        return Ok(Err(Refusal::Conflict));
    };
    let place = row::place(head.number, seq);
    let mut statement = connection.prepare_cached(TARGET)?;
    let found = statement
        .query_row((place, seq, head.id, &entry.sender_id), |row| {
            let kind: EntryKind = row.get(0)?;
            let deleted: bool = row.get(2)?;
            Ok(Aim { place, sender_id: row.get(1)?, gone: deleted || kind != EntryKind::Text })
        })
        .optional()?;
    Ok(found.ok_or(Refusal::Conflict))
}
