//! Port: news of registered devices. Whoever remembers that a user has none compares marks, so that no memory outlives a registration.

use async_trait::async_trait;

use super::FanoutError;
use crate::model::UserId;

/// Differ as soon as a device was registered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceMarks {
    /// By anybody.
    pub anybody: u64,
    /// By each of the users that were asked for, or by somebody who shares their mark; in their order.
    pub users: Vec<u64>,
}

#[async_trait]
pub trait DeviceNews {
    /// A device of this user was registered, which is committed.
    ///
    /// # Errors
    /// Others may go on remembering that the user has no device.
    async fn device_registered(&self, user: &UserId) -> Result<(), FanoutError>;

    /// The marks of these users now.
    async fn device_marks(&self, users: &[UserId]) -> Result<DeviceMarks, FanoutError>;
}
