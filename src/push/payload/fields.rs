use std::collections::BTreeMap;

use serde_json::Value;

use crate::push::provider::{Kind, Notification};

/// Names in a push that custom data cannot take: ours, `aps` of Apple, and those that FCM refuses.
pub(super) const RESERVED: &[&str] = &[
    "aps",
    "ack_token",
    "badge",
    "body",
    "collapse_key",
    "conversation_id",
    "count",
    "from",
    "message_id",
    "message_type",
    "push_id",
    "seq",
    "sender_id",
    "title",
    "type",
];

/// The flat data that the app gets, the same for every provider: the ids of the occasion, `push_id`,
/// `ack_token` where there is one, and of a clear `type`, `conversation_id` and `seq`.
pub fn fields(notification: &Notification) -> BTreeMap<String, Value> {
    let mut fields = notification.data.clone();
    fields.insert("push_id".to_owned(), Value::from(notification.id.to_string()));
    if let Some(token) = &notification.ack_token {
        fields.insert("ack_token".to_owned(), Value::from(token.reveal()));
    }
    if let Kind::Silent(silent) = &notification.kind
        && let Some(clear) = &silent.clear
    {
        fields.insert("type".to_owned(), Value::from("clear"));
        fields.insert("conversation_id".to_owned(), Value::from(clear.conversation_id.clone()));
        fields.insert("seq".to_owned(), Value::from(clear.seq));
    }
    fields
}
