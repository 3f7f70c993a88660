//! Reading the log, each user what is theirs to see.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::super::values::count;
use super::row::{self, columns};
use crate::model::{ClientId, ConversationId, Entry, Reaction, Role, Seq, UserId};
use crate::store::{HistoryPage, Range, Span, StoreError, Target};

/// Users named under one emoji; the rest is only counted.
const NAMED_REACTIONS: i64 = 20;

const READER: &str = "SELECT number, first_seq, role FROM seen WHERE conversation_id = ?1 AND user_id = ?2";
const NUMBER: &str = "SELECT number FROM conversations WHERE id = ?1";
const UP: &str =
    concat!("SELECT ", columns!(), " FROM messages WHERE place BETWEEN ?1 AND ?2 ORDER BY place LIMIT ?3");
const DOWN: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM messages WHERE place BETWEEN ?1 AND ?2 ORDER BY place DESC LIMIT ?3"
);
const BY_CLIENT_ID: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM messages WHERE conversation = ?1 AND sender_id = ?2 AND client_id = ?3"
);
const NEWEST_CLIENT_ID: &str =
    "SELECT max(client_id) FROM messages WHERE conversation = ?1 AND sender_id = ?2";
const TARGET: &str = "SELECT kind, sender_id, deleted_at IS NOT NULL FROM messages WHERE place = ?1";
const REACTIONS: &str = "
    SELECT target, emoji, user_id, count FROM (
        SELECT target, emoji, user_id, seq,
               count(*) OVER emoji AS count,
               min(seq) OVER emoji AS since,
               row_number() OVER (PARTITION BY target, emoji ORDER BY seq) AS turn
        FROM reactions WHERE target BETWEEN ?1 AND ?2
        WINDOW emoji AS (PARTITION BY target, emoji))
    WHERE turn <= ?3 ORDER BY target, since, turn";

pub(super) fn history(
    connection: &Connection,
    id: ConversationId,
    user: &UserId,
    range: Range,
    limit: usize,
) -> Result<Option<HistoryPage>, StoreError> {
    let Some(reader) = reader(connection, id, user)? else {
        return Ok(None);
    };
    let (sql, from, to) = match range {
        Range::Before(seq) => (DOWN, reader.first_seq, Seq::new(seq.get().saturating_sub(1))),
        Range::After(seq) => (UP, reader.first_seq.max(seq.next()), Seq::MAX),
    };
    let limit = limit.max(1);
    let mut entries = entries(connection, id, sql, reader.number, from, to, limit + 1)?;
    let has_more = entries.len() > limit;
    entries.truncate(limit);
    if matches!(range, Range::Before(_)) {
        entries.reverse();
    }
    sum_up_reactions(connection, reader.number, &mut entries)?;
    Ok(Some(HistoryPage { entries, has_more, first_seq: reader.first_seq }))
}

pub(super) fn span(connection: &Connection, span: &Span) -> Result<Vec<Entry>, StoreError> {
    let id = span.conversation_id;
    let Some(reader) = reader(connection, id, &span.user_id)? else {
        return Ok(Vec::new());
    };
    let from = reader.first_seq.max(span.after.next());
    entries(connection, id, UP, reader.number, from, span.up_to, span.limit)
}

pub(super) fn target(
    connection: &Connection,
    id: ConversationId,
    user: &UserId,
    seq: Seq,
) -> Result<Option<Target>, StoreError> {
    let Some(reader) = reader(connection, id, user)?.filter(|reader| seq >= reader.first_seq) else {
        return Ok(None);
    };
    if seq.get() > row::LAST_SEQ {
        return Ok(None);
    }
    let mut statement = connection.prepare_cached(TARGET)?;
    let target = statement
        .query_row([row::place(reader.number, seq)], |row| {
            Ok(Target { kind: row.get(0)?, sender_id: row.get(1)?, deleted: row.get(2)?, role: reader.role })
        })
        .optional()?;
    Ok(target)
}

pub(super) fn find(
    connection: &Connection,
    id: ConversationId,
    sender: &UserId,
    client_id: ClientId,
) -> Result<Option<Entry>, StoreError> {
    let mut statement = connection.prepare_cached(NUMBER)?;
    let number = statement.query_row([id], |row| row.get(0)).optional()?;
    match number {
        Some(number) => by_client_id(connection, id, number, sender, client_id),
        None => Ok(None),
    }
}

pub(super) fn by_client_id(
    connection: &Connection,
    id: ConversationId,
    number: i64,
    sender: &UserId,
    client_id: ClientId,
) -> Result<Option<Entry>, StoreError> {
    let mut statement = connection.prepare_cached(BY_CLIENT_ID)?;
    let entry = statement.query_row((number, sender, client_id), |row| row::entry(id, row)).optional()?;
    Ok(entry)
}

/// The greatest client id that the sender used in this conversation.
pub(super) fn newest_client_id(
    connection: &Connection,
    number: i64,
    sender: &UserId,
) -> Result<Option<ClientId>, StoreError> {
    Ok(connection.prepare_cached(NEWEST_CLIENT_ID)?.query_row((number, sender), |row| row.get(0))?)
}

/// The entry whoever may see it; `None` when it is not there.
pub fn entry_at(connection: &Connection, id: ConversationId, seq: Seq) -> Result<Option<Entry>, StoreError> {
    let mut statement = connection.prepare_cached(NUMBER)?;
    let number = statement.query_row([id], |row| row.get(0)).optional()?;
    match number {
        Some(number) if (1..=row::LAST_SEQ).contains(&seq.get()) => {
            Ok(entries(connection, id, UP, number, seq, seq, 1)?.pop())
        }
        _ => Ok(None),
    }
}

struct Reader {
    number: i64,
    first_seq: Seq,
    role: Role,
}

/// `None` when the user is not a member.
fn reader(connection: &Connection, id: ConversationId, user: &UserId) -> rusqlite::Result<Option<Reader>> {
    connection
        .prepare_cached(READER)?
        .query_row((id, user), |row| {
            Ok(Reader { number: row.get(0)?, first_seq: row.get(1)?, role: row.get(2)? })
        })
        .optional()
}

fn entries(
    connection: &Connection,
    id: ConversationId,
    sql: &str,
    number: i64,
    from: Seq,
    to: Seq,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    if from > to {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare_cached(sql)?;
    let entries = statement
        .query_map((row::place(number, from), row::place(number, to), count(limit)), |row| {
            row::entry(id, row)
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(entries)
}

fn sum_up_reactions(connection: &Connection, number: i64, entries: &mut [Entry]) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
        return Ok(());
    };
    let between = (row::place(number, first.seq), row::place(number, last.seq), NAMED_REACTIONS);
    let mut by_seq: HashMap<Seq, Vec<Reaction>> = HashMap::new();
    let mut statement = connection.prepare_cached(REACTIONS)?;
    let mut rows = statement.query(between)?;
    while let Some(row) = rows.next()? {
        let reactions = by_seq.entry(row::seq_at(row.get(0)?)).or_default();
        let emoji: String = row.get(1)?;
        // Rows of one emoji follow each other.
        if reactions.last().is_none_or(|last| last.emoji != emoji) {
            reactions.push(Reaction { emoji, count: row.get(3)?, user_ids: Vec::new() });
        }
        if let Some(reaction) = reactions.last_mut() {
            reaction.user_ids.push(row.get(2)?);
        }
    }
    for entry in entries {
        entry.reactions = by_seq.remove(&entry.seq).unwrap_or_default();
    }
    Ok(())
}
