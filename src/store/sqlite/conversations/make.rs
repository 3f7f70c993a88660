//! Making conversations, and keeping up who may not write in the direct ones.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension};

use super::super::users;
use super::super::values::count;
use crate::model::{ConversationId, ConversationKind, Role, Seq, Timestamp, UserId};
use crate::store::{Created, NewGroup, StoreError};

const EXISTS: &str = "SELECT 1 FROM conversations WHERE id = ?1";
const MAKE_DIRECT: &str = "
    INSERT INTO conversations (id, kind, created_by, created_at, member_count, low_user, high_user)
    VALUES (?1, ?2, ?3, ?4, 2, ?5, ?6)";
const MAKE_GROUP: &str = "
    INSERT INTO conversations (id, kind, title, created_by, created_at, member_count)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const ADD_MEMBER: &str = "
    INSERT INTO members (conversation_id, user_id, kind, role, history_from_seq, read_seq, read_texts)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";
const REQUESTED: &str = "SELECT conversation_id FROM group_requests WHERE creator_id = ?1 AND client_id = ?2";
const REQUEST: &str =
    "INSERT INTO group_requests (creator_id, client_id, conversation_id) VALUES (?1, ?2, ?3)";

/// Who may not write in a direct conversation: either, when one is deactivated; whom the other blocked (relation 1).
macro_rules! bar {
    ($which:literal) => {
        concat!(
            "UPDATE conversations SET
                 low_barred = EXISTS (SELECT 1 FROM users WHERE id IN (low_user, high_user) AND deactivated_at IS NOT NULL)
                     OR EXISTS (SELECT 1 FROM relations WHERE relation = 1 AND user_id = high_user AND other_id = low_user),
                 high_barred = EXISTS (SELECT 1 FROM users WHERE id IN (low_user, high_user) AND deactivated_at IS NOT NULL)
                     OR EXISTS (SELECT 1 FROM relations WHERE relation = 1 AND user_id = low_user AND other_id = high_user)
             WHERE ",
            $which
        )
    };
}
const BAR_IN: &str = bar!("id = ?1");
const BAR_WHERE_NEEDED: &str =
    bar!("kind = 0 AND id IN (SELECT conversation_id FROM members WHERE user_id = ?1 AND kind = 0)");

/// On what terms missing users are made, and when.
pub(in super::super) struct Maker {
    pub provision: bool,
    pub at: Timestamp,
}

impl Maker {
    /// Makes those who are missing, or names the first who is and may not be made; then nobody was made.
    fn users<'a>(
        &self,
        connection: &Connection,
        users: impl Iterator<Item = &'a UserId> + Clone,
    ) -> rusqlite::Result<Option<UserId>> {
        if !self.provision {
            for user in users {
                if !users::exists(connection, user)? {
                    return Ok(Some(user.clone()));
                }
            }
            return Ok(None);
        }
        for user in users {
            users::make(connection, user, self.at)?;
        }
        Ok(None)
    }
}

/// Makes the direct conversation of two users, or finds it.
pub(in super::super) fn direct(
    connection: &Connection,
    user: &UserId,
    peer: &UserId,
    maker: &Maker,
) -> Result<Created, StoreError> {
    if user == peer {
        return Err(refused("a direct conversation has two users"));
    }
    let id = ConversationId::direct(user, peer);
    if connection.prepare_cached(EXISTS)?.exists([id])? {
        return Ok(Created::Existed(id));
    }
    if let Some(unknown) = maker.users(connection, [user, peer].into_iter())? {
        return Ok(Created::UnknownUser(unknown));
    }
    let (low, high) = if user < peer { (user, peer) } else { (peer, user) };
    let kind = ConversationKind::Direct;
    connection.prepare_cached(MAKE_DIRECT)?.execute((id, kind, user, maker.at, low, high))?;
    for member in [low, high] {
        add_member(connection, id, member, kind, Role::Member, Start::FIRST)?;
    }
    bar_in(connection, id)?;
    Ok(Created::New(id))
}

/// Makes a group or channel, or finds what the same request made before.
pub(super) fn group(connection: &Connection, group: &NewGroup) -> Result<Created, StoreError> {
    if group.kind == ConversationKind::Direct {
        return Err(refused("a direct conversation is not made as a group"));
    }
    if let Some(client_id) = group.client_id {
        let mut statement = connection.prepare_cached(REQUESTED)?;
        let made = statement.query_row((&group.creator, client_id), |row| row.get(0)).optional()?;
        if let Some(id) = made {
            return Ok(Created::Existed(id));
        }
    }
    let members: BTreeSet<&UserId> = group.members.iter().chain(std::iter::once(&group.creator)).collect();
    let maker = Maker { provision: group.provision, at: group.created_at };
    if let Some(unknown) = maker.users(connection, members.iter().copied())? {
        return Ok(Created::UnknownUser(unknown));
    }
    connection.prepare_cached(MAKE_GROUP)?.execute((
        group.id,
        group.kind,
        &group.title,
        &group.creator,
        group.created_at,
        count(members.len()),
    ))?;
    for member in members {
        let role = if *member == group.creator { Role::Owner } else { Role::Member };
        add_member(connection, group.id, member, group.kind, role, Start::FIRST)?;
    }
    if let Some(client_id) = group.client_id {
        connection.prepare_cached(REQUEST)?.execute((&group.creator, client_id, group.id))?;
    }
    Ok(Created::New(group.id))
}

/// Where a member's history begins, and what of it counts as read.
#[derive(Clone, Copy)]
pub(in super::super) struct Start {
    pub history_from: Seq,
    pub read: Seq,
    pub read_texts: i64,
}

impl Start {
    /// That of those who are there when a conversation begins.
    pub(in super::super) const FIRST: Self =
        Self { history_from: Seq::new(1), read: Seq::ZERO, read_texts: 0 };
}

/// Adds a member; `false` when they were one already.
pub(in super::super) fn add_member(
    connection: &Connection,
    id: ConversationId,
    user: &UserId,
    kind: ConversationKind,
    role: Role,
    start: Start,
) -> rusqlite::Result<bool> {
    let added = connection.prepare_cached(ADD_MEMBER)?.execute((
        id,
        user,
        kind,
        role,
        start.history_from,
        start.read,
        start.read_texts,
    ))?;
    Ok(added == 1)
}

/// Decides anew who may write in this direct conversation, which need not be there.
pub(in super::super) fn bar_in(connection: &Connection, id: ConversationId) -> rusqlite::Result<()> {
    connection.prepare_cached(BAR_IN)?.execute([id])?;
    Ok(())
}

/// The same for all direct conversations of a user who was deactivated or is active again.
pub(in super::super) fn bar_where_needed(connection: &Connection, user: &UserId) -> rusqlite::Result<()> {
    connection.prepare_cached(BAR_WHERE_NEEDED)?.execute([user])?;
    Ok(())
}

fn refused(message: &str) -> StoreError {
    StoreError::Refused { message: message.to_owned(), source: None }
}
