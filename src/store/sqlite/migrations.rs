//! Brings the schema up to date: forward only, each step in a transaction of its own.

use rusqlite::{Connection, TransactionBehavior};

use super::database::DatabaseError;

/// One step; steps are numbered from 1 without gaps and never change once released.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    pub version: i64,
    pub name: &'static str,
    pub sql: &'static str,
}

/// The store's own.
pub(super) const STORE: &[Migration] = &[
    Migration {
        version: 1,
        name: "initial",
        sql: include_str!("../../../migrations/sqlite/0001_initial.sql"),
    },
    Migration {
        version: 2,
        name: "journal",
        sql: include_str!("../../../migrations/sqlite/0002_journal.sql"),
    },
];

/// Runs those that are missing; fine when there are none.
pub(super) fn run(connection: &mut Connection, steps: &[Migration]) -> Result<(), DatabaseError> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_migrations (
             version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL
         ) STRICT",
    )?;
    let known = steps.iter().map(|step| step.version).max().unwrap_or(0);
    let found: i64 =
        connection
            .query_row("SELECT coalesce(max(version), 0) FROM schema_migrations", [], |row| row.get(0))?;
    if found > known {
        return Err(DatabaseError::TooNew { found, known });
    }
    for step in steps.iter().filter(|step| step.version > found) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(step.sql)?;
        transaction.execute(
            "INSERT INTO schema_migrations (version, name, applied_at)
             VALUES (?1, ?2, CAST(unixepoch('subsec') * 1000 AS INTEGER))",
            (step.version, step.name),
        )?;
        transaction.commit()?;
        tracing::info!(version = step.version, name = step.name, "migrated");
    }
    Ok(())
}
