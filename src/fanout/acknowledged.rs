//! Port: up to where each device acknowledged, so that push knows what did not arrive.

use async_trait::async_trait;

use super::FanoutError;
use crate::model::{ConversationId, DeviceId, Seq, UserId};

/// A device has everything up to a seq.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    pub user_id: UserId,
    /// `None` for a socket that named no device.
    pub device_id: Option<DeviceId>,
    pub conversation_id: ConversationId,
    pub seq: Seq,
    /// The application was in the foreground: the user saw it.
    pub foreground: bool,
}

#[async_trait]
pub trait Acknowledged {
    /// Notes positions; they only ever move forward. Kept for days, not for ever.
    async fn acknowledge(&self, acknowledgements: &[Acknowledgement]) -> Result<(), FanoutError>;

    /// For each (user, conversation), in their order: what is known of the user's devices there.
    async fn acknowledged(
        &self,
        of: &[(UserId, ConversationId)],
    ) -> Result<Vec<Vec<Acknowledgement>>, FanoutError>;
}
