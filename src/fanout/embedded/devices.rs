//! News of registered devices in memory.

use async_trait::async_trait;

use super::EmbeddedFanout;
use crate::fanout::{DeviceMarks, DeviceNews, FanoutError};
use crate::model::UserId;

#[async_trait]
impl DeviceNews for EmbeddedFanout {
    async fn device_registered(&self, _user: &UserId) -> Result<(), FanoutError> {
        self.state().registered += 1;
        Ok(())
    }

    async fn device_marks(&self, users: &[UserId]) -> Result<DeviceMarks, FanoutError> {
        let mark = self.state().registered;
        Ok(DeviceMarks { anybody: mark, users: vec![mark; users.len()] })
    }
}
