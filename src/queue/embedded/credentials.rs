//! Credentials that outlive a restart, in SQLite.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension};

use super::EmbeddedQueue;
use super::screens::unavailable;
use crate::fanout::FanoutError;
use crate::model::Timestamp;
use crate::push::provider::SharedCredentials;
use crate::store::sqlite::DatabaseError;

const GET: &str = "SELECT value FROM push_credentials WHERE name = ?1 AND expires_at > ?2";
const SET: &str = "
    INSERT INTO push_credentials (name, value, expires_at) VALUES (?1, ?2, ?3)
    ON CONFLICT DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at";
const EXPIRE: &str = "DELETE FROM push_credentials WHERE expires_at <= ?1";

#[async_trait]
impl SharedCredentials for EmbeddedQueue {
    async fn load(&self, name: &str) -> Result<Option<Bytes>, FanoutError> {
        let name = name.to_owned();
        let read = self.database.read(move |connection| get(connection, &name, Timestamp::now()));
        read.await.map_err(unavailable)
    }

    async fn swap(
        &self,
        name: &str,
        old: Option<Bytes>,
        new: Bytes,
        ttl: Duration,
    ) -> Result<bool, FanoutError> {
        let (name, now) = (name.to_owned(), Timestamp::now());
        let written = self.database.write(move |connection| -> Result<_, DatabaseError> {
            if get(connection, &name, now)? != old {
                return Ok(false);
            }
            connection.prepare_cached(SET)?.execute((&name, &new[..], now.plus(ttl).as_millis()))?;
            connection.prepare_cached(EXPIRE)?.execute([now.as_millis()])?;
            Ok(true)
        });
        written.await.map_err(unavailable)
    }
}

fn get(connection: &Connection, name: &str, now: Timestamp) -> Result<Option<Bytes>, DatabaseError> {
    let mut statement = connection.prepare_cached(GET)?;
    let value = statement.query_row((name, now.as_millis()), |row| row.get::<_, Vec<u8>>(0));
    Ok(value.optional()?.map(Bytes::from))
}
