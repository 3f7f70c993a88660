//! Conversations as their members see them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::{Connection, OptionalExtension, Row};

use super::super::values::count;
use crate::model::{Conversation, ConversationId, ConversationKind, Member, Notify, UserId};
use crate::store::{PageOf, StoreError};

/// Members that a conversation is shown with.
const SHOWN_MEMBERS: usize = 100;
/// Above so many members only mentions ring, unless the member wishes otherwise.
const QUIET_ABOVE: i64 = 100;

macro_rules! seen {
    ($which:literal) => {
        concat!(
            "SELECT kind, title, last_seq, first_seq, created_at, member_count, role, read_seq, unread, notify, muted_until, conversation_id
            FROM seen WHERE ",
            $which
        )
    };
}

const PAGE: &str = seen!("user_id = ?1 AND conversation_id > ?2 ORDER BY conversation_id LIMIT ?3");
const SEEN: &str = seen!("conversation_id = ?1 AND user_id = ?2");
const MEMBERS: &str = "
    SELECT s.user_id, s.role, u.display_name, u.avatar_url, s.read_seq, s.delivered_seq
    FROM seen s JOIN users u ON u.id = s.user_id
    WHERE s.conversation_id = ?1 AND s.user_id > ?2 ORDER BY s.user_id LIMIT ?3";
/// Of groups, where a member's row alone says how far they got.
const SHOWN: &str = "
    SELECT m.user_id, m.role, u.display_name, u.avatar_url, m.read_seq, max(m.delivered_seq, m.read_seq)
    FROM members m JOIN users u ON u.id = m.user_id
    WHERE m.conversation_id = ?1 ORDER BY m.user_id LIMIT ?2";

/// Groups come without their members.
pub(super) fn pages(connection: &Connection, pages: &[PageOf]) -> Result<Vec<Vec<Conversation>>, StoreError> {
    pages.iter().map(|one| page(connection, one)).collect()
}

fn page(connection: &Connection, page: &PageOf) -> Result<Vec<Conversation>, StoreError> {
    // Every id is more than no bytes at all.
    let after = page.after.map(|id| id.as_uuid().into_bytes());
    let after = after.as_ref().map_or(&[][..], |bytes| &bytes[..]);
    let mut statement = connection.prepare_cached(PAGE)?;
    let mut conversations = statement
        .query_map((&page.user_id, after, count(page.limit)), conversation)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for conversation in &mut conversations {
        if conversation.kind == ConversationKind::Direct {
            conversation.members = members(connection, conversation.id, None, SHOWN_MEMBERS)?;
        }
    }
    Ok(conversations)
}

/// Fills in the members of the groups, read once however many pages show them.
pub(super) fn show_members(
    connection: &Connection,
    pages: &mut [Vec<Conversation>],
) -> Result<(), StoreError> {
    let mut known = HashMap::new();
    for conversation in pages.iter_mut().flatten().filter(|one| one.kind != ConversationKind::Direct) {
        conversation.members = match known.entry(conversation.id) {
            Entry::Occupied(known) => Vec::clone(known.get()),
            Entry::Vacant(place) => place.insert(shown(connection, conversation.id)?).clone(),
        };
    }
    Ok(())
}

/// The members that a group is shown with.
pub(super) fn shown(connection: &Connection, id: ConversationId) -> Result<Vec<Member>, StoreError> {
    let mut statement = connection.prepare_cached(SHOWN)?;
    let members =
        statement.query_map((id, count(SHOWN_MEMBERS)), member)?.collect::<rusqlite::Result<_>>()?;
    Ok(members)
}

pub(super) fn by_each(
    connection: &Connection,
    id: ConversationId,
    users: &[UserId],
) -> Result<Vec<Option<Conversation>>, StoreError> {
    let shown = members(connection, id, None, SHOWN_MEMBERS)?;
    let mut answers = Vec::with_capacity(users.len());
    for user in users {
        let conversation = by(connection, id, user)?;
        answers
            .push(conversation.map(|conversation| Conversation { members: shown.clone(), ..conversation }));
    }
    Ok(answers)
}

pub(super) fn members(
    connection: &Connection,
    id: ConversationId,
    after: Option<&UserId>,
    at_most: usize,
) -> Result<Vec<Member>, StoreError> {
    let mut statement = connection.prepare_cached(MEMBERS)?;
    let after = after.map_or("", UserId::as_str);
    let members =
        statement.query_map((id, after, count(at_most)), member)?.collect::<rusqlite::Result<_>>()?;
    Ok(members)
}

/// Without its members.
fn by(
    connection: &Connection,
    id: ConversationId,
    user: &UserId,
) -> Result<Option<Conversation>, StoreError> {
    let mut statement = connection.prepare_cached(SEEN)?;
    Ok(statement.query_row((id, user), conversation).optional()?)
}

fn conversation(row: &Row<'_>) -> rusqlite::Result<Conversation> {
    let member_count = row.get(5)?;
    let wished: Option<Notify> = row.get(9)?;
    Ok(Conversation {
        id: row.get(11)?,
        kind: row.get(0)?,
        title: row.get(1)?,
        last_seq: row.get(2)?,
        first_seq: row.get(3)?,
        created_at: row.get(4)?,
        member_count,
        members: Vec::new(),
        role: row.get(6)?,
        read_seq: row.get(7)?,
        unread: row.get(8)?,
        notify: notify(wished, member_count),
        muted_until: row.get(10)?,
    })
}

fn member(row: &Row<'_>) -> rusqlite::Result<Member> {
    Ok(Member {
        user_id: row.get(0)?,
        role: row.get(1)?,
        display_name: row.get(2)?,
        avatar_url: row.get(3)?,
        read_seq: row.get(4)?,
        delivered_seq: row.get(5)?,
    })
}

/// What the member wished, else what fits the conversation's size.
pub fn notify(wished: Option<Notify>, member_count: i64) -> Notify {
    wished.unwrap_or(if member_count > QUIET_ABOVE { Notify::Mentions } else { Notify::All })
}
