//! What phones show, in Redis: a string for each user and conversation.

use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fred::types::Value;
use fred::types::scripts::Script;

use super::RedisFanout;
use super::call::Call;
use super::keys::bucket_of;
use crate::fanout::FanoutError;
use crate::push::board::{Board, KEPT, ScreenKey, Swap};

/// Keys: a state. Arguments: as it was loaded, empty for none; the new one; milliseconds to live.
pub(super) static SWAP: LazyLock<Script> = LazyLock::new(|| {
    Script::from_lua(
        "if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
        redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
        return 1",
    )
});

/// Calls of one pipeline, so that it does not run into the time-out of a command.
const CALLS_A_PIPELINE: usize = 500;

#[async_trait]
impl Board for RedisFanout {
    async fn load(&self, keys: &[ScreenKey]) -> Result<Vec<Option<Bytes>>, FanoutError> {
        let calls: Vec<Call> = keys.iter().map(|key| Call::get(self.screen(key))).collect();
        let mut states = Vec::with_capacity(keys.len());
        for calls in calls.chunks(CALLS_A_PIPELINE) {
            let answers = self.send(calls).await?;
            states.extend(answers.iter().map(|answer| answer.as_bytes().map(Bytes::copy_from_slice)));
        }
        Ok(states)
    }

    async fn swap(&self, swaps: &[Swap]) -> Result<Vec<bool>, FanoutError> {
        let call = |one: &Swap| swap(self.screen(&one.key), one.old.clone(), one.new.clone(), KEPT);
        let calls: Vec<Call> = swaps.iter().map(call).collect();
        let mut done = Vec::with_capacity(swaps.len());
        for calls in calls.chunks(CALLS_A_PIPELINE) {
            let answers = self.send(calls).await?;
            done.extend(answers.iter().map(|answer| answer.as_i64() == Some(1)));
        }
        Ok(done)
    }
}

/// Sets a string that is still as it was loaded; its answer is 1 then.
pub(super) fn swap(key: Bytes, old: Option<Bytes>, new: Bytes, ttl: Duration) -> Call {
    let ttl = Value::Integer(ttl.as_millis() as i64);
    Call::script(&SWAP, vec![key], [Value::Bytes(old.unwrap_or_default()), Value::Bytes(new), ttl])
}

impl RedisFanout {
    fn screen(&self, key: &ScreenKey) -> Bytes {
        let user = key.user_id.as_str();
        self.keys().screen(bucket_of(user.as_bytes()), user, key.conversation_id)
    }
}
