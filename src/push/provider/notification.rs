use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::Secret;
use crate::model;

/// One push to one device, ready to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// The same for every attempt: see [`notification_id`].
    pub id: Uuid,
    pub device: Target,
    pub kind: Kind,
    /// The number on the app's icon; `None` leaves it as it is.
    pub badge: Option<u32>,
    /// What the app gets besides the text, built by [`crate::push::payload`].
    pub data: BTreeMap<String, Value>,
    /// A short-lived token with which a notification extension may `POST /v1/ack`.
    pub ack_token: Option<Secret>,
    pub priority: Priority,
    /// After this moment the provider drops it instead of delivering it late.
    pub expires_at: SystemTime,
}

/// The device that a notification is for.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    pub platform: Platform,
    /// APNs: the device token in hex. FCM: the registration token. Web Push: the
    /// subscription as the browser's `PushSubscription.toJSON()` gives it.
    pub token: Secret,
    /// The bundle id, the APNs topic; for FCM it chooses the project.
    pub app_id: Option<String>,
    /// `None` when the app did not say: APNs production is tried first, then the sandbox.
    pub environment: Option<Environment>,
    /// When the app last registered this token. A provider's older word about it does not count.
    pub registered_at: SystemTime,
}

impl Target {
    /// The device as it is registered.
    pub fn of(device: &model::Device) -> Self {
        Self {
            platform: match device.platform {
                model::Platform::Apns => Platform::Apns,
                model::Platform::Fcm => Platform::Fcm,
                model::Platform::Webpush => Platform::Webpush,
            },
            token: Secret::new(device.token.as_str()),
            app_id: Some(device.app_id.clone()).filter(|id| !id.is_empty()),
            environment: device.environment.map(|environment| match environment {
                model::Environment::Production => Environment::Production,
                model::Environment::Sandbox => Environment::Sandbox,
            }),
            registered_at: UNIX_EPOCH
                + Duration::from_millis(device.registered_at.as_millis().max(0).unsigned_abs()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    Apns,
    Fcm,
    Webpush,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    Production,
    Sandbox,
}

/// Whether the phone shows something or only the app is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Alert(Alert),
    Silent(Silent),
}

/// What the phone shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Alert {
    pub title: Option<String>,
    pub body: Option<String>,
    /// Groups alerts on the screen: the conversation.
    pub thread: Option<String>,
    /// A later alert with the same one takes its place: the message, or of a summary the conversation.
    pub collapse_id: Option<String>,
    /// The same for Android's notification drawer and the browser.
    pub tag: Option<String>,
    /// The Android notification channel.
    pub channel: Option<String>,
    pub interruption_level: Option<InterruptionLevel>,
    /// A sound of the app, or `default`; `None` makes no sound.
    pub sound: Option<String>,
    /// Lets an iOS notification service extension run (and acknowledge) before it is shown.
    pub mutable_content: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InterruptionLevel {
    Passive,
    Active,
    TimeSensitive,
}

impl InterruptionLevel {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passive => "passive",
            Self::Active => "active",
            Self::TimeSensitive => "time-sensitive",
        }
    }
}

/// A push that shows nothing: the app clears alerts, corrects the badge or reads `data`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Silent {
    pub clear: Option<Clear>,
}

/// The user read elsewhere: alerts of this conversation up to `seq` may go.
#[derive(Debug, Clone, PartialEq)]
pub struct Clear {
    pub conversation_id: String,
    pub seq: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Wake the device now.
    High,
    /// When it is convenient for the battery.
    Normal,
}

impl Priority {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::High, Self::Normal].into_iter().find(|priority| priority.as_str() == name)
    }
}

/// The id of the push of `message` to one device: a UUIDv5, so that every attempt and every
/// process computes the same. The user is part of it, because a device id is unique only for its user.
pub fn notification_id(message: Uuid, user_id: &str, device_id: &str) -> Uuid {
    let name = format!("{}:{user_id}{device_id}", user_id.len());
    Uuid::new_v5(&message, name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_push_depends_on_message_user_and_device_alone() {
        let message = Uuid::from_u128(7);
        let id = notification_id(message, "ann", "phone");
        assert_eq!(id, notification_id(message, "ann", "phone"));
        assert_ne!(id, notification_id(message, "annp", "hone"));
        assert_ne!(id, notification_id(Uuid::from_u128(8), "ann", "phone"));
        assert_eq!(id.get_version_num(), 5);
    }
}
