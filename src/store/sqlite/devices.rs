//! Devices that can be reached by push.

use rusqlite::{Connection, OptionalExtension, Row};

use super::log::Touched;
use super::{SqliteStore, users};
use crate::model::{Device, DeviceId, Timestamp, UserId};
use crate::store::{Devices, Registration, StoreError};

/// What [`device`] reads.
macro_rules! columns {
    () => {
        "device_id, platform, app_id, environment, token, session_id, registered_at, last_seen_at, disabled_at, quarantined_at"
    };
}
pub(super) use columns;

const TAKE_TOKEN: &str = "
    DELETE FROM devices WHERE platform = ?1 AND token = ?2 AND NOT (user_id = ?3 AND device_id = ?4)";
const REGISTER: &str = concat!(
    "INSERT INTO devices (user_id, device_id, platform, app_id, environment, token, session_id, registered_at, last_seen_at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)
     ON CONFLICT (user_id, device_id) DO UPDATE SET
         platform = excluded.platform, app_id = excluded.app_id, environment = excluded.environment, token = excluded.token,
         session_id = excluded.session_id, registered_at = excluded.registered_at, last_seen_at = excluded.last_seen_at,
         disabled_at = NULL, quarantined_at = NULL
     RETURNING ",
    columns!()
);
const REMOVE: &str = "DELETE FROM devices WHERE user_id = ?1 AND device_id = ?2";
const ANY: &str = "SELECT EXISTS (SELECT 1 FROM devices)";
const OF_USER: &str = concat!("SELECT ", columns!(), " FROM devices WHERE user_id = ?1 ORDER BY device_id");
const DISABLE: &str = "
    UPDATE devices SET disabled_at = coalesce(disabled_at, ?4)
    WHERE user_id = ?1 AND device_id = ?2 AND registered_at <= ?3";
const QUARANTINE: &str = "
    UPDATE devices SET quarantined_at = coalesce(quarantined_at, ?4)
    WHERE user_id = ?1 AND device_id = ?2 AND registered_at <= ?3";

#[async_trait::async_trait]
impl Devices for SqliteStore {
    async fn register_device(&self, registration: &Registration) -> Result<Option<Device>, StoreError> {
        let wished = registration.clone();
        self.write_of(Touched::Nothing, move |connection| register(connection, &wished)).await
    }

    async fn remove_device(&self, user: &UserId, device: &DeviceId) -> Result<bool, StoreError> {
        let (user, device) = (user.clone(), device.clone());
        self.write_of(Touched::Nothing, move |connection| {
            let removed = connection.prepare_cached(REMOVE)?.execute((&user, &device))?;
            Ok(removed == 1)
        })
        .await
    }

    async fn any_device(&self) -> Result<bool, StoreError> {
        self.read_of(Touched::Nothing, |connection| Ok(any(connection)?)).await
    }

    async fn devices_of(&self, users: &[UserId]) -> Result<Vec<Vec<Device>>, StoreError> {
        let users = users.to_vec();
        self.read_of(Touched::Nothing, move |connection| {
            let mut statement = connection.prepare_cached(OF_USER)?;
            let mut answers = Vec::with_capacity(users.len());
            for user in &users {
                let devices = statement.query_map([user], device)?.collect::<rusqlite::Result<_>>()?;
                answers.push(devices);
            }
            Ok(answers)
        })
        .await
    }

    async fn disable_device(
        &self,
        user: &UserId,
        device: &DeviceId,
        registered_at: Timestamp,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.mark_device(DISABLE, user, device, registered_at, at).await
    }

    async fn quarantine_device(
        &self,
        user: &UserId,
        device: &DeviceId,
        registered_at: Timestamp,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.mark_device(QUARANTINE, user, device, registered_at, at).await
    }
}

impl SqliteStore {
    async fn mark_device(
        &self,
        sql: &'static str,
        user: &UserId,
        device: &DeviceId,
        registered_at: Timestamp,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let (user, device) = (user.clone(), device.clone());
        self.write_of(Touched::Nothing, move |connection| {
            let marked = connection.prepare_cached(sql)?.execute((&user, &device, registered_at, at))?;
            Ok(marked == 1)
        })
        .await
    }
}

/// Whether there is any device at all.
pub(super) fn any(connection: &Connection) -> rusqlite::Result<bool> {
    connection.prepare_cached(ANY)?.query_row([], |row| row.get(0))
}

fn register(connection: &Connection, wished: &Registration) -> Result<Option<Device>, StoreError> {
    if !users::exists(connection, &wished.user_id)? {
        return Ok(None);
    }
    connection.prepare_cached(TAKE_TOKEN)?.execute((
        wished.platform,
        &wished.token,
        &wished.user_id,
        &wished.device_id,
    ))?;
    let mut statement = connection.prepare_cached(REGISTER)?;
    let registered = statement
        .query_row(
            (
                &wished.user_id,
                &wished.device_id,
                wished.platform,
                &wished.app_id,
                wished.environment,
                &wished.token,
                wished.session_id,
                wished.at,
            ),
            device,
        )
        .optional()?;
    Ok(registered)
}

pub(super) fn device(row: &Row<'_>) -> rusqlite::Result<Device> {
    Ok(Device {
        device_id: row.get(0)?,
        platform: row.get(1)?,
        app_id: row.get(2)?,
        environment: row.get(3)?,
        token: row.get(4)?,
        session_id: row.get(5)?,
        registered_at: row.get(6)?,
        last_seen_at: row.get(7)?,
        disabled_at: row.get(8)?,
        quarantined_at: row.get(9)?,
    })
}
