//! Why a socket was closed.

/// The close codes of the protocol; 1xxx are those of RFC 6455, section 7.4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseCode {
    Normal,
    GoingAway,
    /// What the client sent is no WebSocket.
    Protocol,
    /// A text frame that is no UTF-8.
    InvalidText,
    TooLarge,
    /// The process restarts: connect again.
    Restarting,
    /// Full, or the database is away: try again later.
    TryAgainLater,
    TooManyBadFrames,
    Unauthenticated,
    /// The user was deactivated or the token revoked: a new connection with it will not do.
    Expelled,
    NoHello,
    RateLimited,
    SlowConsumer,
}

impl CloseCode {
    pub const ALL: [Self; 13] = [
        Self::Normal,
        Self::GoingAway,
        Self::Protocol,
        Self::InvalidText,
        Self::TooLarge,
        Self::Restarting,
        Self::TryAgainLater,
        Self::TooManyBadFrames,
        Self::Unauthenticated,
        Self::Expelled,
        Self::NoHello,
        Self::RateLimited,
        Self::SlowConsumer,
    ];

    pub const fn number(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::GoingAway => 1001,
            Self::Protocol => 1002,
            Self::InvalidText => 1007,
            Self::TooLarge => 1009,
            Self::Restarting => 1012,
            Self::TryAgainLater => 1013,
            Self::TooManyBadFrames => 4400,
            Self::Unauthenticated => 4401,
            Self::Expelled => 4403,
            Self::NoHello => 4408,
            Self::RateLimited => 4429,
            Self::SlowConsumer => 4508,
        }
    }

    /// The reason that travels beside the number, at most 123 bytes.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Normal => "",
            Self::GoingAway => "no sign of life",
            Self::Protocol => "protocol error",
            Self::InvalidText => "not UTF-8",
            Self::TooLarge => "frame too large",
            Self::Restarting => "restarting, connect again",
            Self::TryAgainLater => "try again later",
            Self::TooManyBadFrames => "too many bad frames",
            Self::Unauthenticated => "token invalid or expired",
            Self::Expelled => "user deactivated or token revoked",
            Self::NoHello => "no hello in time",
            Self::RateLimited => "too many frames",
            Self::SlowConsumer => "slow consumer",
        }
    }
}
