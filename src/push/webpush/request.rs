use std::time::SystemTime;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::encrypt::{CryptError, MAX_PLAIN, encrypt};
use super::subscription::Subscription;
use crate::push::payload::{TooLarge, fields, fit, web_topic};
use crate::push::provider::{Alert, Kind, Notification, Priority};

#[derive(Debug, thiserror::Error)]
pub(super) enum PrepareError {
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    #[error("the message cannot be JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Crypt(#[from] CryptError),
}

/// Where to send: the endpoint, or the same path behind the configured base URL.
pub(super) fn url(subscription: &Subscription, base: Option<&Url>) -> Url {
    let Some(base) = base else {
        return subscription.endpoint.clone();
    };
    let mut url = base.clone();
    let before = base.path().trim_end_matches('/');
    url.set_path(&format!("{before}{}", subscription.endpoint.path()));
    url.set_query(subscription.endpoint.query());
    url
}

/// RFC 8030: how long and how urgently; a topic replaces an alert that still waits.
pub(super) fn headers(notification: &Notification, now: SystemTime) -> HeaderMap {
    let ttl = notification.expires_at.duration_since(now).unwrap_or_default().as_secs();
    let urgency = match (&notification.kind, notification.priority) {
        (Kind::Alert(_), Priority::High) => "high",
        (Kind::Alert(_), Priority::Normal) | (Kind::Silent(_), Priority::High) => "normal",
        (Kind::Silent(_), Priority::Normal) => "low",
    };
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value| headers.insert(HeaderName::from_static(name), value);
    set("ttl", HeaderValue::from(ttl));
    set("urgency", HeaderValue::from_static(urgency));
    set("content-encoding", HeaderValue::from_static("aes128gcm"));
    set("content-type", HeaderValue::from_static("application/octet-stream"));
    if let Kind::Alert(Alert { collapse_id: Some(id), .. }) = &notification.kind {
        let topic = HeaderValue::from_str(&web_topic(id)).expect("a topic is base64");
        set("topic", topic);
    }
    headers
}

/// The encrypted body. What the service worker reads: `notification` {`title`, `body`, `tag`} of
/// an alert, `badge`, and `data` as every provider carries it.
pub(super) fn body(
    notification: &Notification,
    subscription: &Subscription,
) -> Result<Vec<u8>, PrepareError> {
    let data = fields(notification);
    let write = |title: &str, body: &str| {
        let mut root = Map::from_iter([("data".to_owned(), json!(data))]);
        if let Some(badge) = notification.badge {
            root.insert("badge".to_owned(), json!(badge));
        }
        if let Kind::Alert(alert) = &notification.kind {
            root.insert("notification".to_owned(), shown(alert, title, body));
        }
        serde_json::to_vec(&root)
    };
    let (title, body) = match &notification.kind {
        Kind::Alert(alert) => {
            (alert.title.as_deref().unwrap_or_default(), alert.body.as_deref().unwrap_or_default())
        }
        Kind::Silent(_) => ("", ""),
    };
    let plain = fit(title, body, MAX_PLAIN, write)??;
    Ok(encrypt(&plain, &subscription.public_key, &subscription.auth)?)
}

fn shown(alert: &Alert, title: &str, body: &str) -> Value {
    let mut shown = Map::new();
    if alert.title.is_some() {
        shown.insert("title".to_owned(), json!(title));
    }
    if alert.body.is_some() {
        shown.insert("body".to_owned(), json!(body));
    }
    if let Some(tag) = &alert.tag {
        shown.insert("tag".to_owned(), json!(tag));
    }
    if alert.sound.is_none() {
        shown.insert("silent".to_owned(), json!(true));
    }
    Value::Object(shown)
}
