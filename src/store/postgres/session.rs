//! One connection for the time of one call: no statement on it waits for ever.

use std::future::Future;
use std::time::Duration;

use deadpool_postgres::Object;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use super::error::Failure;
use crate::store::StoreError;

/// How often a call that lost against another transaction is tried in all. Two writers of the same rows resolve at the
/// second; more than a handful means that something else is wrong.
const ATTEMPTS: u32 = 6;

pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A connection from the pool. It goes back when dropped, unless what state it is in is not known: then it is closed.
pub(super) struct Session {
    object: Option<Object>,
    /// Longer than the server's own statement time-out: it only strikes when the server or the way to it is stuck.
    deadline: Duration,
    in_transaction: bool,
}

impl Session {
    pub(super) fn new(object: Object, deadline: Duration) -> Self {
        Self { object: Some(object), deadline, in_transaction: false }
    }

    pub(super) fn client(&self) -> Result<&Object, Failure> {
        // Only a missed deadline takes it.
        self.object.as_ref().ok_or(Failure::Deadline(self.deadline))
    }

    /// Waits for `future`, one exchange with the server, but not for ever.
    pub(super) async fn bounded<T>(
        deadline: Duration,
        future: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(deadline, future).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Failure::Deadline(deadline)),
        }
    }

    pub(super) const fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Closes the connection when `result` says that it is of no more use.
    pub(super) fn checked<T>(&mut self, result: Result<T, Failure>) -> Result<T, Failure> {
        if let Err(failure) = &result
            && failure.spoils_connection()
            && let Some(object) = self.object.take()
        {
            drop(Object::take(object));
        }
        result
    }

    /// Prepared once in the life of the connection.
    pub(super) async fn prepare(&mut self, sql: &str) -> Result<Statement, Failure> {
        let result = Self::bounded(self.deadline, self.client()?.prepare_cached(sql)).await;
        self.checked(result)
    }

    pub(super) async fn query(&mut self, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, Failure> {
        let statement = self.prepare(sql).await?;
        let result = Self::bounded(self.deadline, self.client()?.query(&statement, parameters)).await;
        self.checked(result)
    }

    pub(super) async fn query_opt(
        &mut self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Option<Row>, Failure> {
        let rows = self.query(sql, parameters).await?;
        Ok(rows.into_iter().next())
    }

    /// Answers how many rows it changed.
    pub(super) async fn execute(&mut self, sql: &str, parameters: Parameters<'_>) -> Result<u64, Failure> {
        let statement = self.prepare(sql).await?;
        let result = Self::bounded(self.deadline, self.client()?.execute(&statement, parameters)).await;
        self.checked(result)
    }

    async fn batch(&mut self, sql: &str) -> Result<(), Failure> {
        let result = Self::bounded(self.deadline, self.client()?.batch_execute(sql)).await;
        self.checked(result)
    }

    /// Dropped before [`Session::finish`], the connection is closed, which rolls back.
    pub(super) async fn begin(&mut self) -> Result<(), Failure> {
        self.in_transaction = true;
        self.batch("BEGIN").await
    }

    /// Commits what went well; rolls back what did not, so that the connection can be used again.
    pub(super) async fn finish<T>(&mut self, result: Result<T, Failure>) -> Result<T, Failure> {
        match result {
            Ok(value) => {
                self.batch("COMMIT").await?;
                self.in_transaction = false;
                Ok(value)
            }
            Err(failure) => {
                if self.object.is_some() && self.batch("ROLLBACK").await.is_ok() {
                    self.in_transaction = false;
                }
                Err(failure)
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.in_transaction
            && let Some(object) = self.object.take()
        {
            drop(Object::take(object));
        }
    }
}

/// Repeats what lost against another transaction, a bounded number of times.
pub(super) async fn repeat<T, F>(attempt: impl Fn() -> F + Send) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, Failure>> + Send,
{
    for number in 1..ATTEMPTS {
        match attempt().await {
            Err(failure) if failure.is_conflict() => {
                tracing::debug!(%failure, number, "repeating a transaction");
                // Up to 2, 4, 8, … ms at random, so that two do not meet again.
                let longest = 1_000 << number;
                tokio::time::sleep(Duration::from_micros(rand::random_range(0..longest))).await;
            }
            other => return other.map_err(StoreError::from),
        }
    }
    attempt().await.map_err(StoreError::from)
}
