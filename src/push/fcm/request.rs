use std::time::SystemTime;

use reqwest::Url;
use serde_json::{Map, Value, json};

use crate::push::payload::{TooLarge, collapse_id, fields, fit};
use crate::push::provider::{Alert, Kind, Notification, Priority};

/// Google's limit, applied to the whole message: what exactly counts is not documented.
const MAX_MESSAGE: usize = 4096;
/// Google keeps a message at most four weeks.
const MAX_TTL: u64 = 28 * 24 * 3600;

#[derive(Debug, thiserror::Error)]
pub(super) enum PrepareError {
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    #[error("the message cannot be JSON: {0}")]
    Json(#[from] serde_json::Error),
}

pub(super) fn url(base: &Url, project_id: &str) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["v1", "projects", project_id, "messages:send"]);
    }
    url
}

/// The request body. With `data_only` title and body travel as data.
pub(super) fn body(
    notification: &Notification,
    data_only: bool,
    now: SystemTime,
) -> Result<Vec<u8>, PrepareError> {
    let ttl = notification.expires_at.duration_since(now).unwrap_or_default().as_secs().min(MAX_TTL);
    let write = |title: &str, body: &str| {
        let mut message = Map::new();
        message.insert("token".to_owned(), json!(notification.device.token.reveal()));
        let mut data = strings(notification);
        match &notification.kind {
            Kind::Alert(alert) => {
                let text = text(alert, title, body);
                if data_only {
                    data.extend(text);
                } else {
                    message.insert("notification".to_owned(), Value::Object(text));
                }
                message.insert("android".to_owned(), android(notification, alert, ttl, data_only));
                message.insert("apns".to_owned(), apple_alert(notification, alert));
                message.insert("webpush".to_owned(), web(notification.priority, ttl));
            }
            Kind::Silent(_) => {
                // High priority is for what the user sees; Android throttles its abuse.
                let android = json!({"priority": "NORMAL", "ttl": format!("{ttl}s")});
                message.insert("android".to_owned(), android);
                message.insert("apns".to_owned(), apple_silent(notification));
                message.insert("webpush".to_owned(), web(Priority::Normal, ttl));
            }
        }
        message.insert("data".to_owned(), Value::Object(data));
        serde_json::to_vec(&json!({ "message": message }))
    };
    let (title, body) = match &notification.kind {
        Kind::Alert(alert) => {
            (alert.title.as_deref().unwrap_or_default(), alert.body.as_deref().unwrap_or_default())
        }
        Kind::Silent(_) => ("", ""),
    };
    Ok(fit(title, body, MAX_MESSAGE, write)??)
}

/// The data of a push; FCM takes strings only, so anything else travels as its JSON.
fn strings(notification: &Notification) -> Map<String, Value> {
    let mut data: Map<String, Value> = fields(notification)
        .into_iter()
        .map(|(name, value)| {
            let text = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            (name, Value::String(text))
        })
        .collect();
    if let Some(badge) = notification.badge {
        data.insert("badge".to_owned(), json!(badge.to_string()));
    }
    data
}

fn text(alert: &Alert, title: &str, body: &str) -> Map<String, Value> {
    let mut text = Map::new();
    if alert.title.is_some() {
        text.insert("title".to_owned(), json!(title));
    }
    if alert.body.is_some() {
        text.insert("body".to_owned(), json!(body));
    }
    text
}

fn android(notification: &Notification, alert: &Alert, ttl: u64, data_only: bool) -> Value {
    let priority = match notification.priority {
        Priority::High => "HIGH",
        Priority::Normal => "NORMAL",
    };
    let mut android = json!({"priority": priority, "ttl": format!("{ttl}s")});
    if data_only {
        return android;
    }
    let mut shown = Map::new();
    let mut set = |name: &str, value: Option<&String>| {
        if let Some(value) = value {
            shown.insert(name.to_owned(), json!(value));
        }
    };
    set("tag", alert.tag.as_ref());
    set("channel_id", alert.channel.as_ref());
    set("sound", alert.sound.as_ref());
    if let Some(badge) = notification.badge {
        shown.insert("notification_count".to_owned(), json!(badge));
    }
    android["notification"] = Value::Object(shown);
    android
}

/// For an iPhone that registered with Firebase.
fn apple_alert(notification: &Notification, alert: &Alert) -> Value {
    let mut aps = Map::new();
    if let Some(thread) = &alert.thread {
        aps.insert("thread-id".to_owned(), json!(thread));
    }
    if let Some(sound) = &alert.sound {
        aps.insert("sound".to_owned(), json!(sound));
    }
    if let Some(level) = alert.interruption_level {
        aps.insert("interruption-level".to_owned(), json!(level.as_str()));
    }
    if alert.mutable_content {
        aps.insert("mutable-content".to_owned(), json!(1));
    }
    if let Some(badge) = notification.badge {
        aps.insert("badge".to_owned(), json!(badge));
    }
    let mut apns = json!({"payload": {"aps": aps}});
    if let Some(id) = &alert.collapse_id {
        apns["headers"] = json!({"apns-collapse-id": collapse_id(id)});
    }
    apns
}

fn apple_silent(notification: &Notification) -> Value {
    let mut aps = Map::from_iter([("content-available".to_owned(), json!(1))]);
    if let Some(badge) = notification.badge {
        aps.insert("badge".to_owned(), json!(badge));
    }
    json!({
        "headers": {"apns-push-type": "background", "apns-priority": "5"},
        "payload": {"aps": aps},
    })
}

/// For a browser that registered with Firebase.
fn web(priority: Priority, ttl: u64) -> Value {
    let urgency = match priority {
        Priority::High => "high",
        Priority::Normal => "normal",
    };
    json!({"headers": {"TTL": ttl.to_string(), "Urgency": urgency}})
}
