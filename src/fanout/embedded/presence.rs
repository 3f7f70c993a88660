//! Presence in memory.

use std::collections::HashMap;

use async_trait::async_trait;

use super::EmbeddedFanout;
use crate::fanout::{FanoutError, PresenceBoard};
use crate::model::{GatewayId, Presence, Status, Timestamp, UserId};

/// When users were last there.
#[derive(Default)]
pub(super) struct LastSeen(HashMap<UserId, Timestamp>);

#[async_trait]
impl PresenceBoard for EmbeddedFanout {
    async fn presence(&self, users: &[UserId]) -> Result<Vec<Presence>, FanoutError> {
        let state = self.state();
        let presence = |user: &UserId| {
            let online = !state.users.of(user).is_empty();
            Presence {
                user_id: user.clone(),
                status: if online { Status::Online } else { Status::Offline },
                last_seen_at: if online { None } else { state.last_seen.0.get(user).copied() },
            }
        };
        Ok(users.iter().map(presence).collect())
    }

    async fn saw(&self, users: &[UserId], at: Timestamp) -> Result<(), FanoutError> {
        let mut state = self.state();
        for user in users {
            state.last_seen.0.insert(user.clone(), at);
        }
        Ok(())
    }

    async fn watch(&self, gateway: GatewayId, users: &[UserId]) -> Result<(), FanoutError> {
        self.state().watchers.register(gateway, users);
        Ok(())
    }

    async fn unwatch(&self, gateway: GatewayId, users: &[UserId]) -> Result<(), FanoutError> {
        self.state().watchers.unregister(gateway, users);
        Ok(())
    }
}
