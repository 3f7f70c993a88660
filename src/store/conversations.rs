//! Port: conversations and their members, as read; what changes them is an entry, see [`super::Log`].

use crate::model::{
    ClientId, Conversation, ConversationId, ConversationKind, Member, Membership, Notify, Timestamp, UserId,
    View,
};

use super::StoreError;

/// A group or channel to be made, with its first members; that makes no entry.
#[derive(Debug, Clone)]
pub struct NewGroup {
    pub id: ConversationId,
    pub kind: ConversationKind,
    pub title: String,
    /// Becomes its owner.
    pub creator: UserId,
    /// Beside the creator; may name them again.
    pub members: Vec<UserId>,
    /// A retry with the same one, by the same creator, finds what the first made.
    pub client_id: Option<ClientId>,
    /// Unknown users are made instead of refused.
    pub provision: bool,
    pub created_at: Timestamp,
}

/// What came of making a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    New(ConversationId),
    Existed(ConversationId),
    /// This user is not known and is not to be made.
    UnknownUser(UserId),
}

/// One user's next page of conversations, by conversation id.
#[derive(Debug, Clone)]
pub struct PageOf {
    pub user_id: UserId,
    pub after: Option<ConversationId>,
    pub limit: usize,
}

/// What a member wishes to be told: `None` leaves a field.
#[derive(Debug, Clone, Default)]
pub struct Preferences {
    pub notify: Option<Notify>,
    pub muted_until: Option<Option<Timestamp>>,
}

#[async_trait::async_trait]
pub trait Conversations {
    /// Makes a group or channel with its members.
    async fn create_group(&self, group: &NewGroup) -> Result<Created, StoreError>;

    /// Makes the direct conversation of two users, or finds it.
    async fn create_direct(
        &self,
        user: &UserId,
        peer: &UserId,
        provision: bool,
        created_at: Timestamp,
    ) -> Result<Created, StoreError>;

    /// Who may do what in each of these, in their order; `None` for those that are not there.
    async fn views(&self, ids: &[ConversationId]) -> Result<Vec<Option<View>>, StoreError>;

    /// Which groups and channels (not the direct conversations) each of these users is a member of, in their order.
    async fn groups_of(&self, users: &[UserId]) -> Result<Vec<Vec<Membership>>, StoreError>;

    /// A page of each user's conversations as they see them, by rising conversation id, in the order of `pages`.
    async fn conversations_of(&self, pages: &[PageOf]) -> Result<Vec<Vec<Conversation>>, StoreError>;

    /// As [`Self::conversations_of`], but groups and channels come without members: those who log in together share them, and ask once.
    async fn pages_of(&self, pages: &[PageOf]) -> Result<Vec<Vec<Conversation>>, StoreError>;

    /// The members that each of these groups and channels is shown with, by rising user id, in the order of `ids`; none where there is none.
    async fn shown_members(&self, ids: &[ConversationId]) -> Result<Vec<Vec<Member>>, StoreError>;

    /// One conversation as each of `users` sees it, in their order; `None` for those who are not members.
    async fn conversation_for(
        &self,
        id: ConversationId,
        users: &[UserId],
    ) -> Result<Vec<Option<Conversation>>, StoreError>;

    /// Members by rising user id after `after`; the caller has checked that the asking user may see them.
    async fn members(
        &self,
        id: ConversationId,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<Member>, StoreError>;

    /// Changes what a member wishes to be told; `false` when they are not a member.
    async fn set_preferences(
        &self,
        id: ConversationId,
        user: &UserId,
        preferences: &Preferences,
    ) -> Result<bool, StoreError>;
}
