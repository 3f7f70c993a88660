//! What a client says.
//!
//! A frame is read in two steps: first its `type` and `ref`, so that an unknown type is told from a bad frame and the answer
//! can carry the `ref` back; then the fields of that type. Unknown fields are ignored.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::ErrorCode;
use crate::model::{ClientId, ConversationId, DeviceId, Seq, UserId};

/// The `ref` of a request: any string up to 64 characters, returned with the answer.
pub type Ref = Box<str>;

/// The names of the variants are the types of the frames.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum ClientFrame {
    /// The first frame: who this is, and how far every conversation was read.
    Hello(Box<Hello>),
    /// A message, to a conversation or to a user.
    Send(Box<Send>),
    /// A new text for one's own message.
    Edit(Edit),
    /// Takes a message away.
    Delete(Delete),
    /// An emoji under a message, or taken back.
    React(React),
    /// This device has everything up to a seq.
    Ack(Ack),
    /// This user has read up to a seq.
    Read(Read),
    /// This user is typing.
    Typing(TypingNotice),
    /// Asks for messages before or after a seq, or for the last ones.
    History(HistoryRequest),
    /// Asks for what is missing after these cursors.
    Sync(SyncRequest),
    /// Asks who is online, and to be told of changes while this socket lives.
    Presence(PresenceRequest),
    /// In the foreground or not.
    State(StateChange),
    /// A fresh token of the same user, before the old one expires.
    Auth(Auth),
    /// Asks for a `pong`.
    Ping,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct Hello {
    pub token: Option<String>,
    pub device_id: Option<DeviceId>,
    /// At most 500; more by `sync`.
    #[serde(default, deserialize_with = "few")]
    pub cursors: HashMap<ConversationId, Seq>,
    pub active: Option<bool>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct Send {
    pub conversation_id: Option<ConversationId>,
    pub to: Option<UserId>,
    pub client_id: ClientId,
    pub text: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub data: Option<Box<RawValue>>,
    pub reply_to: Option<Seq>,
    #[serde(default)]
    pub mentions: Vec<UserId>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct Edit {
    pub conversation_id: ConversationId,
    pub client_id: ClientId,
    pub target_seq: Seq,
    pub text: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub data: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct Delete {
    pub conversation_id: ConversationId,
    pub client_id: ClientId,
    pub target_seq: Seq,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct React {
    pub conversation_id: ConversationId,
    pub client_id: ClientId,
    pub target_seq: Seq,
    pub emoji: String,
    #[serde(default)]
    pub remove: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct Ack {
    pub conversation_id: ConversationId,
    pub seq: Seq,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct Read {
    pub conversation_id: ConversationId,
    pub seq: Seq,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct TypingNotice {
    pub conversation_id: ConversationId,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct HistoryRequest {
    pub conversation_id: ConversationId,
    pub before: Option<Seq>,
    pub after: Option<Seq>,
    pub limit: Option<u32>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct SyncRequest {
    pub cursors: HashMap<ConversationId, Seq>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct PresenceRequest {
    pub user_ids: Vec<UserId>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct StateChange {
    pub active: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct Auth {
    pub token: String,
}

/// A frame that cannot be taken; the socket stays open.
#[derive(Debug)]
pub struct BadFrame {
    pub reference: Option<Ref>,
    /// [`ErrorCode::BadRequest`] or [`ErrorCode::Unsupported`].
    pub code: ErrorCode,
    pub message: String,
    /// It is a `hello` all the same.
    pub hello: bool,
    /// Of a send, when it could be read: its answer names it.
    pub client_id: Option<ClientId>,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(rename = "ref", borrow, default)]
    reference: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Default)]
struct Named {
    #[serde(default)]
    client_id: Option<serde_json::Value>,
}

const MAX_REF: usize = 64;

/// Reads one frame of JSON, with its `ref`.
///
/// # Errors
/// [`BadFrame`] says what to answer.
pub fn parse(json: &[u8]) -> Result<(Option<Ref>, ClientFrame), BadFrame> {
    let head: Head<'_> = serde_json::from_slice(json).map_err(|error| BadFrame {
        reference: None,
        code: ErrorCode::BadRequest,
        message: format!("a frame is a JSON object with a `type`: {error}"),
        hello: false,
        client_id: None,
    })?;
    let bad = |code, message| BadFrame {
        reference: head.reference.as_deref().filter(|text| text.chars().count() <= MAX_REF).map(Ref::from),
        code,
        message,
        hello: head.kind == "hello",
        client_id: named(json),
    };
    if head.reference.as_deref().is_some_and(|text| text.len() > MAX_REF && text.chars().count() > MAX_REF) {
        return Err(bad(ErrorCode::BadRequest, format!("`ref` is at most {MAX_REF} characters")));
    }
    let frame = match head.kind.as_ref() {
        "hello" => fields(json).map(ClientFrame::Hello),
        "send" => fields(json).map(ClientFrame::Send),
        "edit" => fields(json).map(ClientFrame::Edit),
        "delete" => fields(json).map(ClientFrame::Delete),
        "react" => fields(json).map(ClientFrame::React),
        "ack" => fields(json).map(ClientFrame::Ack),
        "read" => fields(json).map(ClientFrame::Read),
        "typing" => fields(json).map(ClientFrame::Typing),
        "history" => fields(json).map(ClientFrame::History),
        "sync" => fields(json).map(ClientFrame::Sync),
        "presence" => fields(json).map(ClientFrame::Presence),
        "state" => fields(json).map(ClientFrame::State),
        "auth" => fields(json).map(ClientFrame::Auth),
        "ping" => Ok(ClientFrame::Ping),
        _ => return Err(bad(ErrorCode::Unsupported, "this server knows no such frame type".to_owned())),
    };
    match frame {
        Ok(frame) => Ok((head.reference.map(|text| Ref::from(text.as_ref())), frame)),
        Err(error) => Err(bad(ErrorCode::BadRequest, format!("bad `{}`: {error}", head.kind))),
    }
}

fn fields<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(json)
}

fn named(json: &[u8]) -> Option<ClientId> {
    let Named { client_id } = serde_json::from_slice(json).unwrap_or_default();
    client_id.and_then(|id| ClientId::parse(id.as_str()?).ok())
}

/// Cursors in one `hello`.
pub const MAX_CURSORS: usize = 500;

fn few<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<HashMap<ConversationId, Seq>, D::Error> {
    let cursors = HashMap::deserialize(deserializer)?;
    if cursors.len() > MAX_CURSORS {
        return Err(serde::de::Error::custom(format!("at most {MAX_CURSORS} `cursors`, more by `sync`")));
    }
    Ok(cursors)
}

/// `"data": null` is data too; a missing field is none.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_type_is_unsupported_and_its_ref_comes_back() {
        let error = parse(br#"{"type":"dance","ref":"r1","text":5}"#).unwrap_err();
        assert_eq!((error.code, error.reference.as_deref()), (ErrorCode::Unsupported, Some("r1")));
    }

    #[test]
    fn a_frame_without_what_its_type_needs_is_bad_and_its_client_id_is_known() {
        let json = br#"{"type":"send","client_id":"00000000-0000-0000-0000-000000000002","text":5}"#;
        let error = parse(json).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadRequest);
        assert!(error.client_id.is_some());
    }

    #[test]
    fn rubbish_is_a_bad_request() {
        for json in [&b"[]"[..], b"{}", b"{\"type\":1}", b"\xff\xfe", b"", b"null", b"{\"type\":\"ping\""] {
            assert_eq!(parse(json).unwrap_err().code, ErrorCode::BadRequest, "{json:?}");
        }
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let (reference, frame) = parse(br#"{"type":"ping","seq":"x","ref":"a"}"#).unwrap();
        assert!(matches!(frame, ClientFrame::Ping));
        assert_eq!(reference.as_deref(), Some("a"));
    }

    #[test]
    fn a_hello_has_500_cursors_at_most() {
        let hello = |count: usize| {
            let cursor = |n| format!(r#""{}":1"#, uuid::Uuid::from_u128(n as u128));
            let cursors: Vec<String> = (0..count).map(cursor).collect();
            parse(format!(r#"{{"type":"hello","cursors":{{{}}}}}"#, cursors.join(",")).as_bytes())
        };
        assert!(matches!(hello(500), Ok((None, ClientFrame::Hello(hello))) if hello.cursors.len() == 500));
        let error = hello(501).unwrap_err();
        assert_eq!((error.code, error.hello), (ErrorCode::BadRequest, true));
        assert!(error.message.contains("500"), "{}", error.message);
    }

    #[test]
    fn data_is_kept_as_it_was_written() {
        let json = br#"{"type":"send","to":"bob","client_id":"00000000-0000-0000-0000-000000000002","data":{"b": 1.50, "a":"\u00e9"}}"#;
        let (_, ClientFrame::Send(send)) = parse(json).unwrap() else { panic!("a send") };
        assert_eq!(send.data.unwrap().get(), r#"{"b": 1.50, "a":"\u00e9"}"#);
    }

    #[test]
    fn a_ref_longer_than_64_characters_is_bad() {
        let json = format!(r#"{{"type":"ping","ref":"{}"}}"#, "x".repeat(65));
        assert_eq!(parse(json.as_bytes()).unwrap_err().code, ErrorCode::BadRequest);
    }
}
