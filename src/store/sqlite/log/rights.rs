//! Who may write what.

use rusqlite::{Connection, OptionalExtension};

use super::head::Head;
use crate::model::{ConversationKind, EntryKind, NewEntry, Refusal, Role};

const SENDER: &str = "
    SELECT m.role, u.deactivated_at IS NOT NULL FROM members m JOIN users u ON u.id = m.user_id
    WHERE m.conversation_id = ?1 AND m.user_id = ?2";

/// The sender's role, when they may write such an entry at all; what it aims at is judged by its effect.
pub(super) fn check(
    connection: &Connection,
    head: &mut Head,
    entry: &NewEntry,
) -> rusqlite::Result<Result<Role, Refusal>> {
    if let Some(pair) = head.pair.as_mut() {
        return Ok(match pair.side_of(&entry.sender_id) {
            None => Err(Refusal::NotFound),
            Some(side) if side.barred || changes_the_group(entry.kind) => Err(Refusal::Forbidden),
            Some(_) => Ok(Role::Member),
        });
    }
    let mut statement = connection.prepare_cached(SENDER)?;
    let sender: Option<(Role, bool)> =
        statement.query_row((head.id, &entry.sender_id), |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((role, deactivated)) = sender else {
        return Ok(Err(Refusal::NotFound));
    };
    let for_managers = match entry.kind {
        EntryKind::Text | EntryKind::Edit => head.kind == ConversationKind::Channel,
        EntryKind::MemberJoined | EntryKind::TitleChanged | EntryKind::RoleChanged => true,
        // Anyone leaves, reacts, and deletes their own.
        EntryKind::Delete | EntryKind::Reaction | EntryKind::MemberLeft => false,
    };
    if deactivated || (for_managers && !role.manages()) {
        return Ok(Err(Refusal::Forbidden));
    }
    Ok(Ok(role))
}

const fn changes_the_group(kind: EntryKind) -> bool {
    matches!(
        kind,
        EntryKind::MemberJoined | EntryKind::MemberLeft | EntryKind::TitleChanged | EntryKind::RoleChanged
    )
}
