//! Credentials that the processes of the push stage share, in Redis.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::RedisFanout;
use super::call::Call;
use super::screens::swap;
use crate::fanout::FanoutError;
use crate::push::provider::SharedCredentials;

#[async_trait]
impl SharedCredentials for RedisFanout {
    async fn load(&self, name: &str) -> Result<Option<Bytes>, FanoutError> {
        let answers = self.send(&[Call::get(self.keys().credential(name))]).await?;
        Ok(answers.first().and_then(|answer| answer.as_bytes()).map(Bytes::copy_from_slice))
    }

    async fn swap(
        &self,
        name: &str,
        old: Option<Bytes>,
        new: Bytes,
        ttl: Duration,
    ) -> Result<bool, FanoutError> {
        let answers = self.send(&[swap(self.keys().credential(name), old, new, ttl)]).await?;
        Ok(answers.first().and_then(fred::types::Value::as_i64) == Some(1))
    }
}
