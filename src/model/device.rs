//! Devices that can be reached by push.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{DeviceId, SessionId, Timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    Apns,
    Fcm,
    Webpush,
}

impl Platform {
    /// The number under which the stores keep it; never reused.
    pub const fn code(self) -> i16 {
        self as i16
    }

    pub fn from_code(code: i16) -> Option<Self> {
        [Self::Apns, Self::Fcm, Self::Webpush].into_iter().find(|platform| platform.code() == code)
    }
}

/// Which of Apple's two worlds a token belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    Production,
    Sandbox,
}

impl Environment {
    pub const fn code(self) -> i16 {
        self as i16
    }

    pub fn from_code(code: i16) -> Option<Self> {
        [Self::Production, Self::Sandbox].into_iter().find(|environment| environment.code() == code)
    }
}

/// A registered device. The token stays inside: it is never serialised.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Device {
    pub device_id: DeviceId,
    pub platform: Platform,
    pub app_id: String,
    /// `None` when the app did not say: both worlds are tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    #[serde(skip)]
    pub token: String,
    /// The sign-in that the device is bound to; signing out unbinds it.
    #[serde(skip)]
    pub session_id: Option<SessionId>,
    pub registered_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Timestamp>,
    /// The provider said that the token is dead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
    /// The provider said that our configuration does not fit the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarantined_at: Option<Timestamp>,
}
