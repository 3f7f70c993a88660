//! Port: users, their accounts and sign-ins.

use crate::model::{Admission, Denial, Profile, SessionId, Timestamp, UserId};

use super::StoreError;

/// A built-in account to be made.
#[derive(Debug, Clone)]
pub struct NewAccount {
    pub user_id: UserId,
    /// argon2id, in PHC string format.
    pub password_hash: String,
    pub display_name: Option<String>,
}

/// What changes in a profile: `None` leaves a field, `Some(None)` clears it.
#[derive(Debug, Clone, Default)]
pub struct ProfileChange {
    pub display_name: Option<Option<String>>,
    pub avatar_url: Option<Option<String>>,
}

/// A sign-in of a built-in account.
#[derive(Debug, Clone)]
pub struct Session {
    pub id: SessionId,
    pub user_id: UserId,
    pub expires_at: Timestamp,
}

#[async_trait::async_trait]
pub trait Users {
    /// Whether each of these may come in, in their order; unknown ones are made where they ask for it.
    async fn admit(&self, admissions: &[Admission]) -> Result<Vec<Result<(), Denial>>, StoreError>;

    /// Makes a built-in account; `false` when the user has a password already or is deactivated
    /// (a user who was only provisioned, without a password, is not taken over either).
    async fn create_account(&self, account: &NewAccount) -> Result<bool, StoreError>;

    /// The password hash of an active built-in account.
    async fn password_hash(&self, user: &UserId) -> Result<Option<String>, StoreError>;

    async fn create_session(&self, session: &Session) -> Result<(), StoreError>;

    /// Ends a sign-in and unbinds its devices; `false` when there was none.
    async fn end_session(&self, user: &UserId, session: SessionId) -> Result<bool, StoreError>;

    /// The profiles of those of `users` who exist, in no order; at most as many as asked.
    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Profile>, StoreError>;

    /// Makes the user when unknown and applies the change; a deactivated user becomes active again.
    async fn provision(&self, user: &UserId, change: &ProfileChange) -> Result<Profile, StoreError>;

    /// Changes an existing user's profile; `None` when there is no such user.
    async fn change_profile(
        &self,
        user: &UserId,
        change: &ProfileChange,
    ) -> Result<Option<Profile>, StoreError>;

    /// Deactivates a user, ends their sign-ins; `false` when there is no such user.
    async fn deactivate(&self, user: &UserId, at: Timestamp) -> Result<bool, StoreError>;

    /// Deactivates, and removes the person: profile, password, sign-ins, devices, contacts, blocks, and text and
    /// data of their messages (which count as deleted at `at`); `false` when there is no such user.
    async fn erase(&self, user: &UserId, at: Timestamp) -> Result<bool, StoreError>;

    /// Every token issued before `at` stops working; `false` when there is no such user.
    async fn revoke(&self, user: &UserId, at: Timestamp) -> Result<bool, StoreError>;
}
