//! A piece of the Postgres at `TIDINGS__POSTGRES__URL` for one test alone.

use std::time::Duration;

use tidings::store::postgres::{PostgresStore, Settings, connect, migrate};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

/// A schema of its own, removed at the end.
pub struct Schema {
    pub settings: Settings,
    name: String,
}

pub fn url() -> String {
    std::env::var("TIDINGS__POSTGRES__URL").expect("these tests need a Postgres: set TIDINGS__POSTGRES__URL")
}

pub async fn admin() -> Client {
    let (client, connection) = tokio_postgres::connect(&url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

impl Schema {
    /// Empty: nothing has been migrated.
    pub async fn empty() -> Self {
        let name = format!("test_{}", Uuid::new_v4().simple());
        let sql = format!("CREATE SCHEMA {name}");
        admin().await.batch_execute(&sql).await.unwrap();
        let url = url();
        let separator = if url.contains('?') { '&' } else { '?' };
        let settings = Settings {
            // The name tells these connections from those of other tests.
            url: format!("{url}{separator}options=-c%20search_path%3D{name}&application_name={name}"),
            ca_file: None,
            pool_size: 4,
            worker_connections: 3,
            acquire_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(20),
        };
        Self { settings, name }
    }

    pub async fn migrated() -> (Self, PostgresStore) {
        let schema = Self::empty().await;
        migrate(&schema.settings).await.unwrap();
        let store = connect(&schema.settings).unwrap();
        (schema, store)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// A connection that sees this schema.
    pub async fn client(&self) -> Client {
        let client = admin().await;
        let sql = format!("SET search_path = {}", self.name);
        client.batch_execute(&sql).await.unwrap();
        client
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let sql = format!("DROP SCHEMA {} CASCADE", self.name);
        // On a thread with a runtime of its own, because the test's may be gone by now.
        let removed = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async { admin().await.batch_execute(&sql).await }).map_err(std::io::Error::other)
        })
        .join();
        if !matches!(removed, Ok(Ok(()))) && !std::thread::panicking() {
            eprintln!("could not drop {}", self.name);
        }
    }
}
