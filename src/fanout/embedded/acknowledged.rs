//! Acknowledged positions in memory.

use std::collections::HashMap;

use async_trait::async_trait;

use super::EmbeddedFanout;
use crate::fanout::{Acknowledged, Acknowledgement, FanoutError};
use crate::model::{ConversationId, UserId};

/// For a user in a conversation, one position a device and ground.
#[derive(Default)]
pub(super) struct Positions(HashMap<(UserId, ConversationId), Vec<Acknowledgement>>);

#[async_trait]
impl Acknowledged for EmbeddedFanout {
    async fn acknowledge(&self, acknowledgements: &[Acknowledgement]) -> Result<(), FanoutError> {
        let mut state = self.state();
        for new in acknowledgements {
            let known = state.positions.0.entry((new.user_id.clone(), new.conversation_id)).or_default();
            let same = |old: &&mut Acknowledgement| {
                old.device_id == new.device_id && old.foreground == new.foreground
            };
            match known.iter_mut().find(same) {
                Some(old) => old.seq = old.seq.max(new.seq),
                None => known.push(new.clone()),
            }
        }
        Ok(())
    }

    async fn acknowledged(
        &self,
        of: &[(UserId, ConversationId)],
    ) -> Result<Vec<Vec<Acknowledgement>>, FanoutError> {
        let state = self.state();
        Ok(of.iter().map(|key| state.positions.0.get(key).cloned().unwrap_or_default()).collect())
    }
}
