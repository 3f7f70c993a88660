//! Error codes, the same in `error` frames and in HTTP problems.

use serde::Serialize;
use utoipa::ToSchema;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    BadRequest,
    Unauthenticated,
    Forbidden,
    /// Not there, or not for this user to know of.
    NotFound,
    TooLarge,
    RateLimited,
    Conflict,
    /// Try again after `retry_after_ms`.
    Unavailable,
    /// A frame type or feature that this server does not know.
    Unsupported,
    Internal,
}

impl ErrorCode {
    pub const ALL: [Self; 10] = [
        Self::BadRequest,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::TooLarge,
        Self::RateLimited,
        Self::Conflict,
        Self::Unavailable,
        Self::Unsupported,
        Self::Internal,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::TooLarge => "too_large",
            Self::RateLimited => "rate_limited",
            Self::Conflict => "conflict",
            Self::Unavailable => "unavailable",
            Self::Unsupported => "unsupported",
            Self::Internal => "internal",
        }
    }

    pub const fn http_status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::TooLarge => 413,
            Self::RateLimited => 429,
            Self::Conflict => 409,
            Self::Unavailable => 503,
            Self::Unsupported => 501,
            Self::Internal => 500,
        }
    }
}
