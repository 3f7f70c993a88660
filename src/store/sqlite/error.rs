//! From SQLite's errors to the port's.

use rusqlite::ErrorCode;

use super::database::DatabaseError;
use crate::store::StoreError;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::from(DatabaseError::from(error))
    }
}

impl From<DatabaseError> for StoreError {
    fn from(error: DatabaseError) -> Self {
        let message = error.to_string();
        let permanent = match &error {
            DatabaseError::Sqlite(error) => is_about_the_data(error),
            // The same call would panic again; alone, it takes no other call along.
            DatabaseError::Panicked => true,
            // Nothing that one call could have caused.
            DatabaseError::File { .. }
            | DatabaseError::InUse(_)
            | DatabaseError::TooNew { .. }
            | DatabaseError::Overloaded
            | DatabaseError::Closed
            | DatabaseError::NotCommitted(_) => false,
        };
        let source: Option<Box<dyn std::error::Error + Send + Sync>> = Some(Box::new(error));
        if permanent { Self::Refused { message, source } } else { Self::Unavailable { message, source } }
    }
}

/// The rest is about the disk, the file or another process, and may pass.
fn is_about_the_data(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => matches!(
            failure.code,
            ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig
        ),
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::ToSqlConversionFailure(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violated_constraint_is_refused_and_a_full_disk_may_pass() {
        let failure =
            |code| StoreError::from(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None));
        assert!(!failure(rusqlite::ffi::SQLITE_CONSTRAINT).is_retryable());
        assert!(failure(rusqlite::ffi::SQLITE_FULL).is_retryable());
        assert!(failure(rusqlite::ffi::SQLITE_BUSY).is_retryable());
    }
}
