//! Port: devices that can be reached by push.

use crate::model::{Device, DeviceId, Environment, Platform, SessionId, Timestamp, UserId};

use super::StoreError;

/// A device as it registers itself.
#[derive(Debug, Clone)]
pub struct Registration {
    pub user_id: UserId,
    pub device_id: DeviceId,
    pub platform: Platform,
    pub token: String,
    pub app_id: String,
    pub environment: Option<Environment>,
    /// The sign-in that it is bound to.
    pub session_id: Option<SessionId>,
    pub at: Timestamp,
}

#[async_trait::async_trait]
pub trait Devices {
    /// Registers a device, or registers it anew (which ends `disabled` and `quarantined`). A (platform, token) belongs to the
    /// last who registered it: other devices with it are removed in the same statement. An unknown user is refused with `None`.
    async fn register_device(&self, registration: &Registration) -> Result<Option<Device>, StoreError>;

    /// Removes a device; `false` when there was none.
    async fn remove_device(&self, user: &UserId, device: &DeviceId) -> Result<bool, StoreError>;

    /// Whether there is any device at all, even one that cannot be reached.
    async fn any_device(&self) -> Result<bool, StoreError>;

    /// The devices of each of these users, by device id, in the order of `users`.
    async fn devices_of(&self, users: &[UserId]) -> Result<Vec<Vec<Device>>, StoreError>;

    /// The provider says that the token is dead. Registered anew after `registered_at`, it is not; `false` then, or when there is none.
    async fn disable_device(
        &self,
        user: &UserId,
        device: &DeviceId,
        registered_at: Timestamp,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// The provider says that our configuration does not fit the token; otherwise as [`Devices::disable_device`].
    async fn quarantine_device(
        &self,
        user: &UserId,
        device: &DeviceId,
        registered_at: Timestamp,
        at: Timestamp,
    ) -> Result<bool, StoreError>;
}
