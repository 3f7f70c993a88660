//! Devices that can be reached by push.

use sha2::{Digest, Sha256};
use tokio_postgres::Row;
use uuid::Uuid;

use super::PostgresStore;
use super::error::Failure;
use super::session::repeat;
use super::values::{place, timestamp};
use crate::model::{Device, DeviceId, Environment, Platform, SessionId, Timestamp, UserId};
use crate::store::{Devices, Registration, StoreError};

/// Takes the token from whoever had it, and only then registers: the count makes the insert wait for the delete. Two who
/// register one token at once violate its uniqueness, and the second repeats.
const REGISTER: &str = "
WITH taken AS (
    DELETE FROM devices WHERE platform = $3 AND token_hash = $5 AND NOT (user_id = $1 AND device_id = $2)
    RETURNING 1
)
INSERT INTO devices (user_id, device_id, platform, token, token_hash, app_id, environment, session_id, registered_at, last_seen_at)
SELECT u.id, $2, $3, $4, $5, $6, $7, $8, $9, $9
FROM users u
WHERE u.id = $1 AND (SELECT count(*) FROM taken) >= 0
ON CONFLICT (user_id, device_id) DO UPDATE
    SET platform = excluded.platform, token = excluded.token, token_hash = excluded.token_hash,
        app_id = excluded.app_id, environment = excluded.environment, session_id = excluded.session_id,
        registered_at = excluded.registered_at, last_seen_at = excluded.last_seen_at,
        disabled_at = NULL, quarantined_at = NULL
RETURNING device_id, platform, app_id, environment, token, session_id, registered_at, last_seen_at, disabled_at, quarantined_at";

const REMOVE: &str = "DELETE FROM devices WHERE user_id = $1 AND device_id = $2";

const ANY: &str = "SELECT EXISTS (SELECT FROM devices)";

const OF_USERS: &str = "
SELECT i.place, d.device_id, d.platform, d.app_id, d.environment, d.token, d.session_id, d.registered_at,
       d.last_seen_at, d.disabled_at, d.quarantined_at
FROM unnest($1::text[]) WITH ORDINALITY AS i (user_id, place)
JOIN devices d ON d.user_id = i.user_id
ORDER BY i.place, d.device_id";

const DISABLE: &str = "
UPDATE devices SET disabled_at = coalesce(disabled_at, $4)
WHERE user_id = $1 AND device_id = $2 AND registered_at <= $3";

const QUARANTINE: &str = "
UPDATE devices SET quarantined_at = coalesce(quarantined_at, $4)
WHERE user_id = $1 AND device_id = $2 AND registered_at <= $3";

#[async_trait::async_trait]
impl Devices for PostgresStore {
    async fn register_device(&self, registration: &Registration) -> Result<Option<Device>, StoreError> {
        repeat(|| self.try_register(registration)).await
    }

    async fn remove_device(&self, user: &UserId, device: &DeviceId) -> Result<bool, StoreError> {
        let removed = self.session().await?.execute(REMOVE, &[&user.as_str(), &device.as_str()]).await?;
        Ok(removed == 1)
    }

    async fn any_device(&self) -> Result<bool, StoreError> {
        Ok(self.session().await?.query(ANY, &[]).await?.first().is_some_and(|row| row.get(0)))
    }

    async fn devices_of(&self, users: &[UserId]) -> Result<Vec<Vec<Device>>, StoreError> {
        Ok(self.read_devices(users).await?)
    }

    async fn disable_device(
        &self,
        user: &UserId,
        device: &DeviceId,
        registered_at: Timestamp,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.mark(DISABLE, user, device, registered_at, at).await?)
    }

    async fn quarantine_device(
        &self,
        user: &UserId,
        device: &DeviceId,
        registered_at: Timestamp,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.mark(QUARANTINE, user, device, registered_at, at).await?)
    }
}

impl PostgresStore {
    async fn try_register(&self, wished: &Registration) -> Result<Option<Device>, Failure> {
        let hash = Sha256::digest(wished.token.as_bytes()).to_vec();
        let row = self
            .session()
            .await?
            .query_opt(
                REGISTER,
                &[
                    &wished.user_id.as_str(),
                    &wished.device_id.as_str(),
                    &wished.platform.code(),
                    &wished.token,
                    &hash,
                    &wished.app_id,
                    &wished.environment.map(Environment::code),
                    &wished.session_id.map(|id| id.as_uuid()),
                    &wished.at.as_millis(),
                ],
            )
            .await?;
        row.as_ref().map(device).transpose()
    }

    async fn read_devices(&self, users: &[UserId]) -> Result<Vec<Vec<Device>>, Failure> {
        let names: Vec<&str> = users.iter().map(UserId::as_str).collect();
        let rows = self.session().await?.query(OF_USERS, &[&names]).await?;
        let mut devices: Vec<Vec<Device>> = users.iter().map(|_| Vec::new()).collect();
        for row in &rows {
            if let Some(list) = devices.get_mut(place(row)?) {
                list.push(device(row)?);
            }
        }
        Ok(devices)
    }

    async fn mark(
        &self,
        sql: &str,
        user: &UserId,
        device: &DeviceId,
        registered_at: Timestamp,
        at: Timestamp,
    ) -> Result<bool, Failure> {
        let marked = self
            .session()
            .await?
            .execute(sql, &[&user.as_str(), &device.as_str(), &registered_at.as_millis(), &at.as_millis()])
            .await?;
        Ok(marked == 1)
    }
}

pub(super) fn device(row: &Row) -> Result<Device, Failure> {
    let session: Option<Uuid> = row.try_get("session_id")?;
    let environment: Option<i16> = row.try_get("environment")?;
    Ok(Device {
        device_id: DeviceId::parse(row.try_get("device_id")?).map_err(|_| Failure::Unknown("a device id"))?,
        platform: Platform::from_code(row.try_get("platform")?).ok_or(Failure::Unknown("a platform"))?,
        app_id: row.try_get("app_id")?,
        environment: environment
            .map(|code| Environment::from_code(code).ok_or(Failure::Unknown("an environment")))
            .transpose()?,
        token: row.try_get("token")?,
        session_id: session.map(SessionId::from_uuid),
        registered_at: timestamp(row, "registered_at")?.ok_or(Failure::Unknown("a device"))?,
        last_seen_at: timestamp(row, "last_seen_at")?,
        disabled_at: timestamp(row, "disabled_at")?,
        quarantined_at: timestamp(row, "quarantined_at")?,
    })
}
