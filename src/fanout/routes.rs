//! Port: routes: for a user, the gateways that hold one of their sockets; for a group, those that hold one of its members.

use async_trait::async_trait;

use super::FanoutError;
use crate::model::{ConversationId, GatewayId, UserId};

/// Only unregistering, and the expiry of a gateway's lease, remove a route. Callers serialise the calls for one user or group.
#[async_trait]
pub trait Routes {
    async fn register_users(&self, gateway: GatewayId, users: &[UserId]) -> Result<(), FanoutError>;

    async fn unregister_users(&self, gateway: GatewayId, users: &[UserId]) -> Result<(), FanoutError>;

    async fn register_groups(&self, gateway: GatewayId, groups: &[ConversationId])
    -> Result<(), FanoutError>;

    async fn unregister_groups(
        &self,
        gateway: GatewayId,
        groups: &[ConversationId],
    ) -> Result<(), FanoutError>;

    /// Who joins a group must not miss what is stored right after: from here on each group's route leads to every living gateway
    /// that holds one of the users beside it. The gateway itself registers the group when it hears of the join.
    async fn bring_groups(&self, groups: &[(ConversationId, Vec<UserId>)]) -> Result<(), FanoutError>;

    /// Whether each of these users has a socket at a living gateway, in their order.
    async fn are_connected(&self, users: &[UserId]) -> Result<Vec<bool>, FanoutError>;
}
