//! News of registered devices in Redis: one hash, a field for each bucket of users and one for all, each a random number that every
//! registration replaces. Lost with Redis, they differ from what anybody remembers all the same.

use async_trait::async_trait;
use bytes::Bytes;
use fred::types::Value;

use super::call::Call;
use super::keys::bucket_of;
use super::{RedisFanout, unavailable};
use crate::fanout::{DeviceMarks, DeviceNews, FanoutError};
use crate::model::UserId;

const ANYBODY: Bytes = Bytes::from_static(b"*");

#[async_trait]
impl DeviceNews for RedisFanout {
    async fn device_registered(&self, user: &UserId) -> Result<(), FanoutError> {
        let mark = || Value::Integer(rand::random_range(1..i64::MAX));
        let pairs = [(ANYBODY, mark()), (field(user), mark())];
        self.send(&[Call::set_fields(self.keys().device_marks(), pairs)]).await?;
        Ok(())
    }

    async fn device_marks(&self, users: &[UserId]) -> Result<DeviceMarks, FanoutError> {
        let fields = std::iter::once(ANYBODY).chain(users.iter().map(field));
        let answers = self.send(&[Call::fields(self.keys().device_marks(), fields)]).await?;
        let strange = || unavailable("Redis answered device marks strangely", None);
        let Some(Value::Array(marks)) = answers.first() else { return Err(strange()) };
        let mut marks = marks.iter().map(|mark| mark.as_u64().unwrap_or(0));
        let anybody = marks.next().ok_or_else(strange)?;
        Ok(DeviceMarks { anybody, users: marks.collect() })
    }
}

fn field(user: &UserId) -> Bytes {
    bucket_of(user.as_str().as_bytes()).to_string().into()
}
