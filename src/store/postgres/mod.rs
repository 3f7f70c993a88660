//! The store on Postgres.
//!
//! Every statement reaches its rows by an index and takes as many users, conversations or entries as a caller has at
//! once. Appending has connections of its own; [`migrate`] runs before everything else, see [`PostgresStore::check_schema`].

mod connect;
mod conversations;
mod cursors;
mod devices;
mod erase;
mod error;
mod groups;
mod log;
mod migrate;
mod pages;
mod push;
mod relations;
mod session;
mod tls;
mod users;
mod values;

use std::sync::Arc;

pub use connect::{PoolObserver, PoolState, Settings};
pub use migrate::{Migrated, SchemaError, migrate};

use self::connect::{Connections, Connector};
use self::error::Failure;
use self::session::Session;
use super::{Store, StoreError};

/// A handle to the database; connections are made when they are needed.
pub struct PostgresStore {
    general: Connections,
    appending: Connections,
    observer: Option<Arc<dyn PoolObserver>>,
}

/// Makes a store; the database need not be up.
///
/// # Errors
/// [`StoreError::Refused`] when the settings make no sense or the CA file cannot be read.
pub fn connect(settings: &Settings) -> Result<PostgresStore, StoreError> {
    let connector = Connector::new(settings)?;
    Ok(PostgresStore {
        general: Connections::new(&connector, settings.pool_size, settings)?,
        appending: Connections::new(&connector, settings.worker_connections, settings)?,
        observer: None,
    })
}

impl PostgresStore {
    /// Tells `observer` of every wait for a connection.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn PoolObserver>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The pool for everything but appending, and that for appending.
    pub fn pool_states(&self) -> [PoolState; 2] {
        [self.general.state(), self.appending.state()]
    }

    async fn session(&self) -> Result<Session, Failure> {
        self.general.session(self.observer.as_deref()).await
    }

    async fn appending_session(&self) -> Result<Session, Failure> {
        self.appending.session(self.observer.as_deref()).await
    }
}

#[async_trait::async_trait]
impl Store for PostgresStore {
    async fn ping(&self) -> Result<(), StoreError> {
        let mut session = self.session().await?;
        session.query("SELECT 1", &[]).await?;
        Ok(())
    }
}
