use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::fcm::Refusal;
use super::phones::{Arrived, Shown};

const MAX_MESSAGE: usize = 4096;

/// The message as the API knows it; a name that it does not know is an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    pub message: Message,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Message {
    pub token: String,
    #[serde(default)]
    notification: Option<Text>,
    #[serde(default)]
    data: HashMap<String, String>,
    #[serde(default)]
    android: Android,
    #[serde(default)]
    #[expect(dead_code, reason = "checked for being an object")]
    apns: Map<String, Value>,
    #[serde(default)]
    #[expect(dead_code, reason = "checked for being an object")]
    webpush: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    title: Option<String>,
    body: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Android {
    priority: Option<String>,
    ttl: Option<String>,
    #[serde(default)]
    notification: Option<AndroidNotification>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct AndroidNotification {
    tag: Option<String>,
    channel_id: Option<String>,
    sound: Option<String>,
    notification_count: Option<u32>,
}

pub(super) fn invalid(why: &str) -> Refusal {
    Refusal(400, "INVALID_ARGUMENT", Some("INVALID_ARGUMENT"), why.to_owned())
}

pub(super) fn check_message(message: &Message, size: usize) -> Result<(), Refusal> {
    if message.token.is_empty() {
        return Err(invalid("The registration token is not a valid FCM registration token"));
    }
    if size > MAX_MESSAGE {
        return Err(invalid("Message too big"));
    }
    let reserved = |name: &&String| {
        matches!(name.as_str(), "from" | "message_type" | "collapse_key")
            || name.starts_with("google")
            || name.starts_with("gcm")
    };
    if let Some(name) = message.data.keys().find(reserved) {
        return Err(invalid(&format!("Invalid data payload key: {name}")));
    }
    let android = &message.android;
    let priority = android.priority.as_deref().unwrap_or("NORMAL").to_ascii_uppercase();
    if priority != "NORMAL" && priority != "HIGH" {
        return Err(invalid("Invalid value at 'message.android.priority'"));
    }
    let seconds = |ttl: &String| ttl.strip_suffix('s').and_then(|text| text.parse::<f64>().ok());
    let good = |ttl| seconds(ttl).is_some_and(|ttl| (0.0..=2_419_200.0).contains(&ttl));
    if !android.ttl.as_ref().is_none_or(good) {
        return Err(invalid("Invalid value at 'message.android.ttl'"));
    }
    Ok(())
}

pub(super) fn arrived(message: Message) -> Arrived {
    let id = message.data.get("push_id").cloned();
    let android = message.android.notification.unwrap_or_default();
    let badge = message.data.get("badge").and_then(|badge| badge.parse().ok());
    // A data message with a text is shown by the app, as docs/push.md tells it to.
    let from_data = || {
        let text = |name: &str| message.data.get(name).cloned();
        let shown = text("body").is_some();
        shown.then(|| Text { title: text("title"), body: text("body") })
    };
    let text = message.notification.or_else(from_data);
    let key = android.tag.or_else(|| message.data.get("message_id").cloned()).or_else(|| id.clone());
    let data = json!(message.data);
    let alert = text.map(|text| Shown {
        key: key.unwrap_or_default(),
        title: text.title,
        body: text.body,
        thread: message.data.get("conversation_id").cloned(),
        sound: android.sound,
        channel: android.channel_id,
        at_ms: 0,
        data: data.clone(),
    });
    Arrived { id, alert, badge: badge.or(android.notification_count), data }
}
