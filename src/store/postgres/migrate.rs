//! Brings the schema up to date: forward only, each step in a transaction of its own.

use std::time::Duration;

use tokio_postgres::Client;

use super::PostgresStore;
use super::connect::{Connector, Settings};
use super::error::Failure;
use crate::store::StoreError;

struct Migration {
    version: i64,
    name: &'static str,
    sql: &'static str,
}

/// Numbered from 1 without gaps; one that was released never changes.
const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "initial",
    sql: include_str!("../../../migrations/postgres/0001_initial.sql"),
}];

/// The oldest schema on which this release runs. It stays behind the newest migration when that only prepares for later code.
const NEEDED: i64 = 1;

/// Of all advisory locks of the database ours: "tidings" in ASCII.
const LOCK: i64 = 0x0074_6964_696e_6773;

/// For another `migrate` to end.
const LOCK_WAIT: Duration = Duration::from_secs(600);

/// What a migration did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The schema's version now; above this release's own when a newer release has been here.
    pub version: i64,
    /// The steps that were missing, in order.
    pub applied: Vec<&'static str>,
}

/// Why the schema does not do.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error(
        "the database's schema is at version {found} and this release needs {NEEDED}: run `tidings migrate`"
    )]
    Behind { found: i64 },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SchemaError {
    /// Whether the same look may find another answer without anybody's doing.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Behind { .. } => false,
            Self::Store(error) => error.is_retryable(),
        }
    }
}

/// Runs the migrations that are missing. Twice does no harm, and of several at once one works and the others wait for it.
///
/// A step waits at most 10 s for a table that is in use, so that it does not hold up the running release behind itself.
///
/// # Errors
/// [`StoreError::Unavailable`] when the database cannot be reached or a table stayed in use: try again.
pub async fn migrate(settings: &Settings) -> Result<Migrated, StoreError> {
    let connector = Connector::new(settings)?;
    let connecting = tokio::time::timeout(settings.connect_timeout, connector.connect_unbounded());
    let (mut client, connection) =
        connecting.await.map_err(|_| Failure::Deadline(settings.connect_timeout))?.map_err(Failure::from)?;
    let migrated = run(&mut client).await;
    // Ends the session, and the advisory lock with it.
    drop(client);
    connection.abort();
    migrated.map_err(StoreError::from)
}

async fn run(client: &mut Client) -> Result<Migrated, Failure> {
    client
        .batch_execute(&format!(
            "SET lock_timeout = {}; SELECT pg_advisory_lock({LOCK}); SET lock_timeout = 10000;
             CREATE TABLE IF NOT EXISTS schema_migrations (
                 version bigint PRIMARY KEY, name text NOT NULL, applied_at bigint NOT NULL
             )",
            LOCK_WAIT.as_millis()
        ))
        .await?;
    let found = found_version(client).await?;
    let mut applied = Vec::new();
    for step in MIGRATIONS.iter().filter(|step| step.version > found) {
        let transaction = client.transaction().await?;
        transaction.batch_execute(step.sql).await?;
        transaction
            .execute(
                "INSERT INTO schema_migrations (version, name, applied_at)
                 VALUES ($1, $2, (extract(epoch FROM now()) * 1000)::bigint)",
                &[&step.version, &step.name],
            )
            .await?;
        transaction.commit().await?;
        tracing::info!(version = step.version, name = step.name, "migrated");
        applied.push(step.name);
    }
    Ok(Migrated { version: found_version(client).await?, applied })
}

async fn found_version(client: &Client) -> Result<i64, Failure> {
    let row = client.query_one("SELECT coalesce(max(version), 0) FROM schema_migrations", &[]).await?;
    Ok(row.try_get(0)?)
}

impl PostgresStore {
    /// Looks whether the schema is at least what this release needs; a newer one is fine. Answers its version.
    ///
    /// # Errors
    /// [`SchemaError::Behind`] when `tidings migrate` has not run.
    pub async fn check_schema(&self) -> Result<i64, SchemaError> {
        let found = self.schema_version().await.map_err(StoreError::from)?;
        if found < NEEDED {
            return Err(SchemaError::Behind { found });
        }
        Ok(found)
    }

    async fn schema_version(&self) -> Result<i64, Failure> {
        let mut session = self.session().await?;
        let exists = session
            .query_opt("SELECT to_regclass('schema_migrations') IS NOT NULL", &[])
            .await?
            .map(|row| row.try_get::<_, bool>(0))
            .transpose()?;
        if exists != Some(true) {
            return Ok(0);
        }
        let row = session.query_opt("SELECT coalesce(max(version), 0) FROM schema_migrations", &[]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or(0))
    }
}
