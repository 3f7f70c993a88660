//! What entries other than texts do, beside being in the log.

mod members;
mod targets;

use rusqlite::Connection;

use super::head::Head;
use crate::model::{Entry, EntryKind, NewEntry, Refusal, Role};
use crate::store::{Audience, StoreError};

const TITLE: &str = "UPDATE conversations SET title = ?2 WHERE number = ?1";

/// Takes the effect of an entry that will get the next seq, or says why it has none; then nothing was changed.
pub(super) fn apply(
    connection: &Connection,
    head: &mut Head,
    entry: &NewEntry,
    role: Role,
) -> Result<Result<Audience, Refusal>, StoreError> {
    let nobody = |()| Audience::default();
    Ok(match entry.kind {
        EntryKind::Text => Ok(Audience::default()),
        EntryKind::Edit => targets::edit(connection, head, entry)?.map(nobody),
        EntryKind::Delete => targets::delete(connection, head, entry, role)?.map(nobody),
        EntryKind::Reaction => targets::react(connection, head, entry)?.map(nobody),
        EntryKind::MemberJoined => members::join(connection, head, entry)?,
        EntryKind::MemberLeft => members::leave(connection, head, entry, role)?,
        EntryKind::RoleChanged => members::change_role(connection, head, entry, role)?,
        EntryKind::TitleChanged => match &entry.body.text {
            Some(title) => {
                connection.prepare_cached(TITLE)?.execute((head.number, title))?;
                Ok(Audience::default())
            }
            None => Err(Refusal::Conflict),
        },
    })
}

/// Whom an entry that was stored before is for, as far as it still holds: who joined by it, who left and is not back.
pub(super) fn audience_of(connection: &Connection, entry: &Entry) -> Result<Audience, StoreError> {
    let mut audience = Audience::default();
    match entry.kind {
        EntryKind::MemberJoined => audience.joined = members::joined_by(connection, entry)?,
        EntryKind::MemberLeft => audience.left = members::gone(connection, entry)?,
        EntryKind::Text
        | EntryKind::Edit
        | EntryKind::Delete
        | EntryKind::Reaction
        | EntryKind::TitleChanged
        | EntryKind::RoleChanged => {}
    }
    Ok(audience)
}
