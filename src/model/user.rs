//! Users: profiles, whether they may come in, whether they are there.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{SessionId, Timestamp, UserId};

/// What others may know of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Profile {
    pub id: UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deactivated_at: Option<Timestamp>,
}

/// Somebody with a good token asks to come in; the store knows whether they still may.
#[derive(Debug, Clone)]
pub struct Admission {
    pub user_id: UserId,
    /// When the token was made; tokens older than the user's last revocation are refused.
    pub issued_at: Option<Timestamp>,
    /// The sign-in that the token belongs to, for built-in accounts.
    pub session_id: Option<SessionId>,
    /// An unknown user is made instead of refused.
    pub provision: bool,
}

/// Why somebody with a good token may not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    Unknown,
    Deactivated,
    Revoked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Online,
    Offline,
}

/// Whether a user has a socket anywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Presence {
    pub user_id: UserId,
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Timestamp>,
}
