//! Port: publishing events, and a gateway's own channel of them.

use async_trait::async_trait;

use super::FanoutError;
use crate::model::{Event, GatewayId};

#[async_trait]
pub trait Subscriptions {
    /// Opens a gateway's channel under a new id, which lives by a lease that the subscription renews until it is dropped.
    async fn subscribe(&self) -> Result<Box<dyn Subscription>, FanoutError>;

    /// Looks up whose gateways the events are for, in one pipeline, and sends one message to each of them. Events keep their order.
    /// Routes of gateways whose lease expired are not used. An event whose target nobody holds goes nowhere, and that is fine.
    async fn publish(&self, events: Vec<Event>) -> Result<(), FanoutError>;
}

/// One gateway's channel.
#[async_trait]
pub trait Subscription: Send {
    /// Under which the gateway's routes are registered.
    fn gateway(&self) -> GatewayId;

    /// Waits for events. Cancel-safe.
    ///
    /// # Errors
    /// Events may have been missed (connection lost, buffer overrun, lease expired): this subscription is over. Subscribe anew,
    /// register the routes again under the new id, and let clients resync.
    async fn receive(&mut self) -> Result<Vec<Event>, FanoutError>;
}
