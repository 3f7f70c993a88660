//! Port: who is there, and which gateways want to know when that changes.

use async_trait::async_trait;

use super::FanoutError;
use crate::model::{GatewayId, Presence, Timestamp, UserId};

#[async_trait]
pub trait PresenceBoard {
    /// The state of each of these users, in their order: online with a route to a living gateway.
    async fn presence(&self, users: &[UserId]) -> Result<Vec<Presence>, FanoutError>;

    /// Notes when users were last there.
    async fn saw(&self, users: &[UserId], at: Timestamp) -> Result<(), FanoutError>;

    /// The gateway wants events with the target [`crate::model::Target::Watchers`] of these users.
    async fn watch(&self, gateway: GatewayId, users: &[UserId]) -> Result<(), FanoutError>;

    async fn unwatch(&self, gateway: GatewayId, users: &[UserId]) -> Result<(), FanoutError>;
}
