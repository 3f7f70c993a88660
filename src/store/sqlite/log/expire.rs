//! Retention: the oldest entries go, and where history begins moves on.

use rusqlite::Connection;

use super::super::values::count;
use super::row;
use crate::model::Timestamp;
use crate::store::StoreError;

/// Conversations whose first entry is old enough.
const CANDIDATES: &str = "
    SELECT number FROM conversations
    WHERE first_seq <= last_seq
      AND (SELECT created_at FROM messages WHERE place = (number << 32) + first_seq) < ?1
    ORDER BY number LIMIT ?2";
const FROM_FIRST: &str = "
    SELECT place, created_at, texts FROM messages
    WHERE place >= (?1 << 32) AND place < ((?1 + 1) << 32) ORDER BY place LIMIT ?2";
const DELETE: &str = "DELETE FROM messages WHERE place BETWEEN ?1 AND ?2";
const DELETE_REACTIONS: &str = "DELETE FROM reactions WHERE target BETWEEN ?1 AND ?2";
const BEGIN_AT: &str = "UPDATE conversations SET first_seq = ?2, expired_texts = ?3 WHERE number = ?1";

/// Found by a reader, so that the writer is not kept busy with looking.
pub(super) fn candidates(
    connection: &Connection,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<i64>, StoreError> {
    let mut statement = connection.prepare_cached(CANDIDATES)?;
    let numbers =
        statement.query_map((before, count(limit)), |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(numbers)
}

/// Answers how many entries went.
pub(super) fn expire(
    connection: &Connection,
    numbers: &[i64],
    before: Timestamp,
    limit: usize,
) -> Result<usize, StoreError> {
    let mut gone = 0;
    for number in numbers {
        if gone >= limit {
            break;
        }
        gone += one(connection, *number, before, limit - gone)?;
    }
    Ok(gone)
}

/// Only a beginning of the log goes, never a piece from its middle: an entry that is older than its forerunner waits for it.
fn one(connection: &Connection, number: i64, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
    let mut span: Option<(i64, i64, i64)> = None;
    {
        let mut statement = connection.prepare_cached(FROM_FIRST)?;
        let mut rows = statement.query((number, count(limit)))?;
        while let Some(row) = rows.next()? {
            let created_at: Timestamp = row.get(1)?;
            if created_at >= before {
                break;
            }
            let place = row.get(0)?;
            span = Some((span.map_or(place, |(first, ..)| first), place, row.get(2)?));
        }
    }
    let Some((first, last, texts)) = span else {
        return Ok(0);
    };
    let gone = connection.prepare_cached(DELETE)?.execute((first, last))?;
    connection.prepare_cached(DELETE_REACTIONS)?.execute((first, last))?;
    connection.prepare_cached(BEGIN_AT)?.execute((number, row::seq_at(last).next(), texts))?;
    Ok(gone)
}
