use std::time::UNIX_EPOCH;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use crate::push::payload::{TooLarge, collapse_id, fields, fit};
use crate::push::provider::{Alert, Kind, Notification, Priority};

/// Apple's limit for everything but VoIP.
const MAX_PAYLOAD: usize = 4096;

/// Headers and body of a request: the same for every attempt and host.
pub(super) struct Prepared {
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum PrepareError {
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    #[error("the topic cannot be a header")]
    Topic,
    #[error("the payload cannot be JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// The address of a device; the token is escaped, whatever was registered as one.
pub(super) fn url(host: &Url, token: &str) -> Url {
    let mut url = host.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["3", "device", token]);
    }
    url
}

pub(super) fn prepare(notification: &Notification, topic: &str) -> Result<Prepared, PrepareError> {
    Ok(Prepared { headers: headers(notification, topic)?, body: body(notification)? })
}

fn headers(notification: &Notification, topic: &str) -> Result<HeaderMap, PrepareError> {
    let topic = HeaderValue::from_str(topic).map_err(|_| PrepareError::Topic)?;
    let expires = notification.expires_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    // A background push with priority 10 is an error; Apple allows it only 5.
    let (push_type, priority) = match (&notification.kind, notification.priority) {
        (Kind::Alert(_), Priority::High) => ("alert", "10"),
        (Kind::Alert(_), Priority::Normal) => ("alert", "5"),
        (Kind::Silent(_), _) => ("background", "5"),
    };
    let id = HeaderValue::from_str(&notification.id.to_string()).expect("a UUID is ASCII");
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value| headers.insert(HeaderName::from_static(name), value);
    set("apns-topic", topic);
    set("apns-push-type", HeaderValue::from_static(push_type));
    set("apns-priority", HeaderValue::from_static(priority));
    set("apns-expiration", HeaderValue::from(expires));
    set("apns-id", id);
    if let Kind::Alert(Alert { collapse_id: Some(id), .. }) = &notification.kind {
        let id = HeaderValue::from_str(&collapse_id(id)).expect("a collapse id is printable ASCII");
        set("apns-collapse-id", id);
    }
    Ok(headers)
}

fn body(notification: &Notification) -> Result<Vec<u8>, PrepareError> {
    let data = fields(notification);
    let write = |title: &str, body: &str| {
        let mut root: Map<String, Value> = data.clone().into_iter().collect();
        root.insert("aps".to_owned(), aps(notification, title, body));
        serde_json::to_vec(&root)
    };
    let (title, body) = match &notification.kind {
        Kind::Alert(alert) => {
            (alert.title.as_deref().unwrap_or_default(), alert.body.as_deref().unwrap_or_default())
        }
        Kind::Silent(_) => ("", ""),
    };
    Ok(fit(title, body, MAX_PAYLOAD, write)??)
}

fn aps(notification: &Notification, title: &str, body: &str) -> Value {
    let mut aps = Map::new();
    match &notification.kind {
        Kind::Alert(alert) => {
            let mut text = Map::new();
            if alert.title.is_some() {
                text.insert("title".to_owned(), json!(title));
            }
            if alert.body.is_some() {
                text.insert("body".to_owned(), json!(body));
            }
            aps.insert("alert".to_owned(), Value::Object(text));
            if let Some(sound) = &alert.sound {
                aps.insert("sound".to_owned(), json!(sound));
            }
            if let Some(thread) = &alert.thread {
                aps.insert("thread-id".to_owned(), json!(thread));
            }
            if let Some(level) = alert.interruption_level {
                aps.insert("interruption-level".to_owned(), json!(level.as_str()));
            }
            if alert.mutable_content {
                aps.insert("mutable-content".to_owned(), json!(1));
            }
        }
        Kind::Silent(_) => {
            aps.insert("content-available".to_owned(), json!(1));
        }
    }
    if let Some(badge) = notification.badge {
        aps.insert("badge".to_owned(), json!(badge));
    }
    Value::Object(aps)
}
