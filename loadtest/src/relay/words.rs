//! The few frames that the relay speaks.

use std::cell::RefCell;
use std::io::Write;

use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

pub const SYNC: &str = r#"{"type":"sync","conversations":[],"done":true}"#;

/// A `send` frame; the text stays as it is.
#[derive(Deserialize)]
pub struct Sent<'a> {
    pub conversation_id: Option<Uuid>,
    pub to: Option<&'a str>,
    pub client_id: Uuid,
    #[serde(borrow)]
    pub text: &'a RawValue,
}

impl<'a> Sent<'a> {
    pub fn parse(payload: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(payload).ok()
    }
}

pub fn welcome(user: &str) -> Vec<u8> {
    let frame = serde_json::json!({
        "type": "welcome", "session_id": Uuid::new_v4(), "user_id": user,
        "heartbeat_s": 25, "max_frame_bytes": 65536,
    });
    frame.to_string().into_bytes()
}

thread_local! {
    static MESSAGE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static ACCEPTED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The id of an entry is made of its place, which costs nothing and differs.
pub fn with_message(conversation: Uuid, seq: u32, sender: &str, sent: &Sent<'_>, then: impl FnOnce(&[u8])) {
    let id = Uuid::from_u128(conversation.as_u128() ^ u128::from(seq));
    let (client_id, text) = (sent.client_id, sent.text.get());
    MESSAGE.with_borrow_mut(|json| {
        json.clear();
        // Writing into a Vec cannot fail.
        let _ = write!(
            json,
            r#"{{"type":"message","conversation_id":"{conversation}","seq":{seq},"id":"{id}","kind":"text","sender_id":"{sender}","client_id":"{client_id}","text":{text},"created_at":"2000-01-01T00:00:00.000Z"}}"#
        );
        then(json);
    });
}

pub fn with_accepted(conversation: Uuid, sent: &Sent<'_>, then: impl FnOnce(&[u8])) {
    let client_id = sent.client_id;
    ACCEPTED.with_borrow_mut(|json| {
        json.clear();
        let _ = write!(
            json,
            r#"{{"type":"accepted","client_id":"{client_id}","conversation_id":"{conversation}"}}"#
        );
        then(json);
    });
}
