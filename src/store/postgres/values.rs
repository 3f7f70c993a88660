//! From columns to the model's types.

use tokio_postgres::Row;

use super::error::Failure;
use crate::model::{ConversationKind, Role, Timestamp, UserId};

/// The row's place in what was asked, which the statement numbered from 1.
pub(super) fn place(row: &Row) -> Result<usize, Failure> {
    let place: i64 = row.try_get("place")?;
    usize::try_from(place - 1).map_err(|_| Failure::Unknown("a place"))
}

pub(super) fn user_id(row: &Row, column: &str) -> Result<UserId, Failure> {
    parse_user(row.try_get(column)?)
}

pub(super) fn parse_user(id: &str) -> Result<UserId, Failure> {
    UserId::parse(id).map_err(|_| Failure::Unknown("a user id"))
}

pub(super) fn timestamp(row: &Row, column: &str) -> Result<Option<Timestamp>, Failure> {
    Ok(row.try_get::<_, Option<i64>>(column)?.map(Timestamp::from_millis))
}

pub(super) fn conversation_kind(code: i16) -> Result<ConversationKind, Failure> {
    ConversationKind::from_code(code).ok_or(Failure::Unknown("a kind of conversation"))
}

pub(super) fn role(code: i16) -> Result<Role, Failure> {
    Role::from_code(code).ok_or(Failure::Unknown("a role"))
}
