//! Joining, leaving, and changing roles.

use rusqlite::{Connection, OptionalExtension};

use super::super::super::conversations::{Start, add_member};
use super::super::super::users;
use super::super::super::values::count;
use super::super::head::Head;
use crate::model::{ConversationId, Entry, NewEntry, Refusal, Role, UserId};
use crate::store::{Audience, StoreError};

const ROLE: &str = "SELECT role FROM members WHERE conversation_id = ?1 AND user_id = ?2";
const JOINED_AT: &str = "SELECT history_from_seq FROM members WHERE conversation_id = ?1 AND user_id = ?2";
const COUNT: &str = "UPDATE conversations SET member_count = member_count + ?2 WHERE number = ?1";
const REMOVE: &str = "DELETE FROM members WHERE conversation_id = ?1 AND user_id = ?2";
const REMEMBER: &str = "
    INSERT INTO former_members (user_id, conversation_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
const SET_ROLE: &str = "UPDATE members SET role = ?3 WHERE conversation_id = ?1 AND user_id = ?2";
const OWNER: &str = "SELECT user_id FROM members WHERE conversation_id = ?1 AND role = ?2";
/// Admins before members, then who has been there longest.
const SUCCESSOR: &str = "
    SELECT user_id FROM members WHERE conversation_id = ?1
    ORDER BY role, history_from_seq, user_id LIMIT 1";

pub(super) fn join(
    connection: &Connection,
    head: &mut Head,
    entry: &NewEntry,
) -> Result<Result<Audience, Refusal>, StoreError> {
    let role = entry.body.role.unwrap_or(Role::Member);
    if role == Role::Owner {
        // A conversation has one owner, who hands it on by a change of roles.
        return Ok(Err(Refusal::Forbidden));
    }
    let mut newcomers = Vec::with_capacity(entry.body.user_ids.len());
    for user in &entry.body.user_ids {
        if role_of(connection, head.id, user)?.is_none() && !newcomers.contains(&user) {
            newcomers.push(user);
        }
    }
    if newcomers.is_empty() {
        return Ok(Err(Refusal::Conflict));
    }
    for user in &newcomers {
        if !entry.provision && !users::exists(connection, user)? {
            return Ok(Err(Refusal::NotFound));
        }
    }
    let seq = head.last_seq.next();
    let start = Start { history_from: seq, read: seq, read_texts: head.text_count };
    for user in &newcomers {
        users::make(connection, user, entry.received_at())?;
        add_member(connection, head.id, user, head.kind, role, start)?;
    }
    connection.prepare_cached(COUNT)?.execute((head.number, count(newcomers.len())))?;
    head.members_seq = seq;
    Ok(Ok(Audience { joined: newcomers.into_iter().cloned().collect(), left: Vec::new() }))
}

pub(super) fn leave(
    connection: &Connection,
    head: &mut Head,
    entry: &NewEntry,
    role: Role,
) -> Result<Result<Audience, Refusal>, StoreError> {
    let mut left = Vec::with_capacity(entry.body.user_ids.len());
    let mut owner_left = false;
    for user in &entry.body.user_ids {
        let themself = *user == entry.sender_id;
        if !themself && !role.manages() {
            return Ok(Err(Refusal::Forbidden));
        }
        match role_of(connection, head.id, user)? {
            None => {}
            Some(Role::Owner) if !themself => return Ok(Err(Refusal::Forbidden)),
            Some(_) if left.contains(user) => {}
            Some(had) => {
                owner_left |= had == Role::Owner;
                left.push(user.clone());
            }
        }
    }
    if left.is_empty() {
        return Ok(Err(Refusal::Conflict));
    }
    for user in &left {
        connection.prepare_cached(REMOVE)?.execute((head.id, user))?;
        connection.prepare_cached(REMEMBER)?.execute((user, head.id))?;
    }
    connection.prepare_cached(COUNT)?.execute((head.number, -count(left.len())))?;
    if owner_left {
        let successor: Option<UserId> =
            connection.prepare_cached(SUCCESSOR)?.query_row([head.id], |row| row.get(0)).optional()?;
        if let Some(successor) = successor {
            set_role(connection, head.id, &successor, Role::Owner)?;
        }
    }
    head.members_seq = head.last_seq.next();
    Ok(Ok(Audience { joined: Vec::new(), left }))
}

pub(super) fn change_role(
    connection: &Connection,
    head: &mut Head,
    entry: &NewEntry,
    role: Role,
) -> Result<Result<Audience, Refusal>, StoreError> {
    let (Some(wished), users) = (entry.body.role, &entry.body.user_ids) else {
        return Ok(Err(Refusal::Conflict));
    };
    if wished == Role::Owner && role != Role::Owner {
        return Ok(Err(Refusal::Forbidden));
    }
    if wished == Role::Owner && users.len() != 1 {
        return Ok(Err(Refusal::Conflict));
    }
    let mut changing = Vec::with_capacity(users.len());
    for user in users {
        match role_of(connection, head.id, user)? {
            None => return Ok(Err(Refusal::Conflict)),
            Some(had) if had == wished => {}
            Some(Role::Owner) if role != Role::Owner => return Ok(Err(Refusal::Forbidden)),
            // Somebody has to be the owner.
            Some(Role::Owner) => return Ok(Err(Refusal::Conflict)),
            Some(_) => changing.push(user),
        }
    }
    if changing.is_empty() {
        return Ok(Err(Refusal::Conflict));
    }
    if wished == Role::Owner {
        let owner: Option<UserId> = connection
            .prepare_cached(OWNER)?
            .query_row((head.id, Role::Owner), |row| row.get(0))
            .optional()?;
        if let Some(owner) = owner {
            set_role(connection, head.id, &owner, Role::Admin)?;
        }
    }
    for user in changing {
        set_role(connection, head.id, user, wished)?;
    }
    head.members_seq = head.last_seq.next();
    Ok(Ok(Audience::default()))
}

/// Those of a `member_joined` who are members by it.
pub(super) fn joined_by(connection: &Connection, entry: &Entry) -> rusqlite::Result<Vec<UserId>> {
    let mut joined = Vec::new();
    for user in &entry.body.user_ids {
        let at = connection
            .prepare_cached(JOINED_AT)?
            .query_row((entry.conversation_id, user), |row| row.get(0))
            .optional()?;
        if at == Some(entry.seq) {
            joined.push(user.clone());
        }
    }
    Ok(joined)
}

/// Those of a `member_left` who are not members.
pub(super) fn gone(connection: &Connection, entry: &Entry) -> rusqlite::Result<Vec<UserId>> {
    let mut gone = Vec::new();
    for user in &entry.body.user_ids {
        if role_of(connection, entry.conversation_id, user)?.is_none() {
            gone.push(user.clone());
        }
    }
    Ok(gone)
}

fn role_of(connection: &Connection, id: ConversationId, user: &UserId) -> rusqlite::Result<Option<Role>> {
    connection.prepare_cached(ROLE)?.query_row((id, user), |row| row.get(0)).optional()
}

fn set_role(connection: &Connection, id: ConversationId, user: &UserId, role: Role) -> rusqlite::Result<()> {
    connection.prepare_cached(SET_ROLE)?.execute((id, user, role))?;
    Ok(())
}
