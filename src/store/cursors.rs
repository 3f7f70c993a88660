//! Port: how far members have read and received.

use crate::model::{ConversationId, Seq, UserId};

use super::StoreError;

/// How far a user got in a conversation, as they or their gateway say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    pub conversation_id: ConversationId,
    pub user_id: UserId,
    /// `Seq::ZERO` leaves it.
    pub read_seq: Seq,
    /// `Seq::ZERO` leaves it.
    pub delivered_seq: Seq,
    /// What was acknowledged while somebody looked at it; `Seq::ZERO` leaves it.
    pub seen_seq: Seq,
}

/// A position that moved forward, as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advanced {
    pub conversation_id: ConversationId,
    pub user_id: UserId,
    /// Set when the read position moved.
    pub read_seq: Option<Seq>,
    /// Set when the delivered position moved.
    pub delivered_seq: Option<Seq>,
}

#[async_trait::async_trait]
pub trait Cursors {
    /// Moves positions forward, never back and never past the conversation's last seq; having read implies having received.
    /// Answers those that moved, in no order; a user who is not a member moves nothing.
    async fn advance(&self, positions: &[Position]) -> Result<Vec<Advanced>, StoreError>;

    /// All unread messages of each of these users, in their order: the badge of their phones.
    async fn badges(&self, users: &[UserId]) -> Result<Vec<i64>, StoreError>;
}
