use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::fields::RESERVED;
use crate::model::PushOverride;
use crate::push::provider::Priority;

/// Custom data leaves room for the text and the ids in 4096 bytes.
const MAX_DATA: usize = 2048;
const MAX_TEXT: usize = 4096;

/// The server's own words about a push: `push` of a send by a server key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerPush {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// For deep links and the like; reaches the app beside the ids.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub data: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sound: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Show nothing, only wake the app with `data`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
}

/// Why a `push` object is refused: `bad_request` or `too_large`.
#[derive(Debug, thiserror::Error)]
pub enum ServerPushError {
    #[error("push: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("push.data: {0} is a name of Tidings or of the provider")]
    ReservedName(String),
    #[error("push.data is longer than {MAX_DATA} bytes")]
    DataTooLarge,
    #[error("push.title, push.body or push.sound is longer than {MAX_TEXT} bytes")]
    TextTooLarge,
}

impl ServerPush {
    /// Parses and checks the object at the edge, so that it cannot fail when it is sent.
    pub fn parse(push: &Value) -> Result<Self, ServerPushError> {
        let push = Self::deserialize(push)?;
        let longest = [&push.title, &push.body, &push.sound].into_iter().flatten().map(String::len).max();
        if longest > Some(MAX_TEXT) {
            return Err(ServerPushError::TextTooLarge);
        }
        if let Some(name) = push.data.keys().find(|name| is_reserved(name)) {
            return Err(ServerPushError::ReservedName(name.clone()));
        }
        if serde_json::to_vec(&push.data)?.len() > MAX_DATA {
            return Err(ServerPushError::DataTooLarge);
        }
        Ok(push)
    }
}

/// As an entry carries it.
impl From<ServerPush> for PushOverride {
    fn from(push: ServerPush) -> Self {
        Self {
            title: push.title,
            body: push.body,
            data: Some(push.data).filter(|data| !data.is_empty()),
            sound: push.sound,
            priority: push.priority.map(|priority| priority.as_str().to_owned()),
            silent: push.silent,
        }
    }
}

/// It was checked at the edge; a priority that this release does not know is none.
impl From<PushOverride> for ServerPush {
    fn from(push: PushOverride) -> Self {
        Self {
            title: push.title,
            body: push.body,
            data: push.data.unwrap_or_default(),
            sound: push.sound,
            priority: push.priority.as_deref().and_then(Priority::from_name),
            silent: push.silent,
        }
    }
}

/// FCM refuses a message with a name of its own, so one such name would lose every Android push.
fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || name.starts_with("google") || name.starts_with("gcm")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_server_says_is_parsed_and_checked() {
        let push = ServerPush::parse(&json!({
            "title": "Order 7", "data": {"link": "app://orders/7"}, "priority": "normal", "silent": false,
        }))
        .expect("a push");
        assert_eq!(push.title.as_deref(), Some("Order 7"));
        assert_eq!(push.priority, Some(Priority::Normal));
    }

    #[test]
    fn it_travels_with_its_entry_and_comes_back() {
        let json = json!({"title": "t", "body": "b", "data": {"x": 1}, "sound": "s", "priority": "high", "silent": true});
        for json in [json, json!({})] {
            let push = ServerPush::parse(&json).expect("a push");
            assert_eq!(ServerPush::from(PushOverride::from(push.clone())), push);
        }
    }

    #[test]
    fn names_that_belong_to_tidings_or_a_provider_are_refused() {
        for name in ["aps", "seq", "from", "google.x", "ack_token"] {
            let error = ServerPush::parse(&json!({"data": {name: "x"}}));
            assert!(matches!(error, Err(ServerPushError::ReservedName(_))), "{name}");
        }
    }

    #[test]
    fn too_much_data_and_unknown_fields_are_refused() {
        let data = json!({"data": {"x": "y".repeat(MAX_DATA)}});
        assert!(matches!(ServerPush::parse(&data), Err(ServerPushError::DataTooLarge)));
        let long = json!({"body": "y".repeat(MAX_TEXT + 1)});
        assert!(matches!(ServerPush::parse(&long), Err(ServerPushError::TextTooLarge)));
        assert!(matches!(ServerPush::parse(&json!({"titel": "x"})), Err(ServerPushError::Malformed(_))));
    }
}
