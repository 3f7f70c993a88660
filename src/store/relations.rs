//! Port: contacts and blocks, and what follows from them.

use crate::model::UserId;

use super::StoreError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// Whom the user added: these may see the user's presence.
    Contact,
    /// Whom the user blocked: these may not write to the user directly.
    Block,
}

#[async_trait::async_trait]
pub trait Relations {
    /// Adds `other` to the user's contacts or blocks; there already is fine. `false` when `other` is not known.
    async fn add_relation(
        &self,
        relation: Relation,
        user: &UserId,
        other: &UserId,
    ) -> Result<bool, StoreError>;

    /// Takes `other` out; `false` when they were not there.
    async fn remove_relation(
        &self,
        relation: Relation,
        user: &UserId,
        other: &UserId,
    ) -> Result<bool, StoreError>;

    /// The user's contacts or blocks, by rising id.
    async fn relations(&self, relation: Relation, user: &UserId) -> Result<Vec<UserId>, StoreError>;

    /// Whether `other` is one of the user's contacts or blocks.
    async fn is_related(&self, relation: Relation, user: &UserId, other: &UserId)
    -> Result<bool, StoreError>;

    /// Which of `targets` let `viewer` see their presence: those who added the viewer as a contact, those who
    /// share a conversation with them, and the viewer.
    async fn visible_to(&self, viewer: &UserId, targets: &[UserId]) -> Result<Vec<UserId>, StoreError>;
}
