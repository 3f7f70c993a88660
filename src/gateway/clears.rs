//! What was read here goes from the reader's other phones: the push stage is told when one of them shows something of it, or a badge.

use std::collections::HashMap;
use std::sync::Arc;

use super::Gateway;
use crate::model::{ConversationId, DeviceId, Timestamp, UserId};
use crate::push::board::{Board, ScreenKey, Screens};
use crate::push::job::{Job, ReadElsewhere};
use crate::queue::{PushLane, PushQueue};
use crate::store::Advanced;

/// How a gateway reaches the push stage.
#[derive(Clone)]
pub struct Pushing {
    pub jobs: Arc<dyn PushQueue>,
    pub board: Arc<dyn Board>,
}

impl Gateway {
    /// A clear that is lost leaves an alert on a phone until its app is opened: no reason to hold up anything.
    pub(super) async fn clear_phones(
        &self,
        advanced: &[Advanced],
        readers: &HashMap<(ConversationId, UserId), Option<DeviceId>>,
    ) {
        let Some(pushing) = &self.pushing else { return };
        let read = advanced.iter().filter_map(|moved| {
            let key = ScreenKey { user_id: moved.user_id.clone(), conversation_id: moved.conversation_id };
            Some((key, moved.read_seq?))
        });
        let (keys, seqs): (Vec<_>, Vec<_>) = read.unzip();
        if keys.is_empty() {
            return;
        }
        let badges = keys.iter().map(|key| ScreenKey::of_badges(key.user_id.clone()));
        let both: Vec<ScreenKey> = keys.iter().cloned().chain(badges).collect();
        let mut states = match pushing.board.load(&both).await {
            Ok(states) => states,
            Err(error) => return tracing::warn!(%error, "gateway.clear_phones"),
        };
        let badges = states.split_off(keys.len().min(states.len()));
        let at_ms = Timestamp::now().as_millis();
        let mut jobs = Vec::new();
        for ((key, seq), (state, badges)) in keys.into_iter().zip(seqs).zip(states.into_iter().zip(badges)) {
            let shows = !Screens::decode(state.as_deref()).showing(seq).is_empty();
            if !shows && !Screens::decode(badges.as_deref()).has_badge() {
                continue;
            }
            let ScreenKey { user_id, conversation_id } = key;
            let on = readers.get(&(conversation_id, user_id.clone())).cloned().flatten();
            let read = ReadElsewhere { conversation_id, user_id, seq, on, at_ms };
            jobs.push(Job::Read(read).to(PushLane::Work, None));
        }
        if let Err(error) = pushing.jobs.put(jobs).await {
            tracing::warn!(%error, "gateway.clear_phones");
        }
    }
}
