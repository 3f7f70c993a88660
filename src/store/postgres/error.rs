//! From Postgres' errors to the port's.

use std::time::Duration;

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

use crate::store::StoreError;

/// What went wrong in one attempt.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{}", describe(.0))]
    Database(#[from] tokio_postgres::Error),
    #[error("no connection: {}", describe_pool(.0))]
    Pool(#[from] PoolError),
    #[error("no answer within {0:?}")]
    Deadline(Duration),
    /// Another transaction was faster in a way that a second look resolves.
    #[error("another transaction was faster")]
    Raced,
    /// A row that this release cannot read.
    #[error("the database holds {0} that this release does not know")]
    Unknown(&'static str),
}

impl Failure {
    /// Lost against another transaction: the same again finds what that one did.
    pub(super) fn is_conflict(&self) -> bool {
        match self {
            Self::Raced => true,
            Self::Database(error) => error.code().is_some_and(|code| {
                *code == SqlState::UNIQUE_VIOLATION
                    || *code == SqlState::T_R_DEADLOCK_DETECTED
                    || *code == SqlState::T_R_SERIALIZATION_FAILURE
            }),
            _ => false,
        }
    }

    /// Whether the connection is of no more use: to a server that became read-only, say, and so is no longer the primary.
    pub(super) fn spoils_connection(&self) -> bool {
        match self {
            Self::Deadline(_) => true,
            Self::Database(error) => {
                error.is_closed()
                    || error.code().is_some_and(|code| *code == SqlState::READ_ONLY_SQL_TRANSACTION)
            }
            _ => false,
        }
    }

    /// Only what is about the values themselves is final: a table that is missing is a migration that has not run yet.
    fn is_about_the_data(&self) -> bool {
        match self {
            Self::Unknown(_) => true,
            Self::Database(error) => {
                !self.is_conflict()
                    && error.code().is_some_and(|code| {
                        // 22: data exception, 23: integrity constraint, 54: too long for an index or a row.
                        matches!(&code.code()[..2], "22" | "23" | "54")
                    })
            }
            _ => false,
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        let message = failure.to_string();
        if failure.is_about_the_data() {
            // The server's detail quotes rows, and so texts of users: it goes no further.
            Self::Refused { message, source: None }
        } else {
            Self::Unavailable { message, source: Some(Box::new(failure)) }
        }
    }
}

/// The server's own words without its detail, which may quote what users wrote.
fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(server) => format!("{} ({})", server.message(), server.code().code()),
        None => with_sources(error),
    }
}

fn describe_pool(error: &PoolError) -> String {
    match error {
        PoolError::Backend(error) => describe(error),
        other => with_sources(other),
    }
}

fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_deadline_may_pass_and_spoils_the_connection() {
        let failure = Failure::Deadline(Duration::from_secs(5));
        assert!(failure.spoils_connection());
        assert!(StoreError::from(failure).is_retryable());
    }

    #[test]
    fn a_lost_race_is_tried_again_and_then_may_pass() {
        assert!(Failure::Raced.is_conflict());
        assert!(StoreError::from(Failure::Raced).is_retryable());
    }

    #[test]
    fn an_unreadable_row_stays_unreadable() {
        assert!(!StoreError::from(Failure::Unknown("a kind of entry")).is_retryable());
    }
}
