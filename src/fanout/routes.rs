//! Port: routes: for a user, the gateways that hold one of their sockets; for a group, those that hold one of its members.

use async_trait::async_trait;

use super::FanoutError;
use crate::model::{ConversationId, GatewayId, UserId};

/// Whether somebody would see what arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attention {
    /// No socket at a living gateway.
    Away,
    /// Sockets, and every one of them said that its application is in the background.
    Idle,
    Active,
}

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

    /// Every socket of these users at this gateway is in the background; said beside the user's own route.
    async fn register_idle(&self, gateway: GatewayId, users: &[UserId]) -> Result<(), FanoutError>;

    async fn unregister_idle(&self, gateway: GatewayId, users: &[UserId]) -> Result<(), FanoutError>;

    /// How each of these users is, in their order.
    async fn attention(&self, users: &[UserId]) -> Result<Vec<Attention>, FanoutError>;
    /// Who joins a group must not miss what is stored right after: from here on each group's route leads to every living gateway
    /// that holds one of the users beside it. The gateway itself registers the group when it hears of the join.
    async fn bring_groups(&self, groups: &[(ConversationId, Vec<UserId>)]) -> Result<(), FanoutError>;

    /// Whether each of these users has a socket at a living gateway, in their order.
    async fn are_connected(&self, users: &[UserId]) -> Result<Vec<bool>, FanoutError>;
}
