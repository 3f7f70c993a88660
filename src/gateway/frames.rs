//! Between a WebSocket's messages and the frames of the protocol.

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use bytes::Bytes;

use super::deflate::Bad;
use super::session::Problem;
use crate::protocol::{
    BadFrame, ClientFrame, CloseCode, Encoding, ErrorCode, ErrorFrame, Reconnect, Ref, ServerFrame, encode,
    parse,
};

/// A data message of the peer.
pub(super) struct Payload {
    pub bytes: Bytes,
    text: bool,
}

/// `None` for control frames, which the library answers.
pub(super) fn payload(message: Message) -> Option<Payload> {
    match message {
        Message::Text(text) => Some(Payload { bytes: text.into(), text: true }),
        Message::Binary(bytes) => Some(Payload { bytes, text: false }),
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => None,
    }
}

/// The frame in a message.
pub(super) fn read(encoding: Encoding, payload: &Payload) -> Result<(Option<Ref>, ClientFrame), BadFrame> {
    let bad = |message: &str| BadFrame {
        reference: None,
        code: ErrorCode::BadRequest,
        message: message.to_owned(),
        hello: false,
        client_id: None,
    };
    match (encoding, payload.text) {
        (Encoding::Json, false) => return Err(bad("tidings.v1.json speaks in text frames")),
        (Encoding::MessagePack, true) => return Err(bad("tidings.v1.msgpack speaks in binary frames")),
        (Encoding::Json, true) | (Encoding::MessagePack, false) => {}
    }
    let json = encoding.to_json(&payload.bytes).ok_or_else(|| bad("not the MessagePack of a JSON object"))?;
    parse(&json)
}

/// The message of one of our frames.
pub(super) fn message(encoding: Encoding, frame: Bytes) -> Message {
    match encoding {
        Encoding::Json => match Utf8Bytes::try_from(frame) {
            Ok(text) => Message::Text(text),
            Err(_) => Message::Text(Utf8Bytes::from_static("{\"type\":\"error\",\"code\":\"internal\"}")),
        },
        Encoding::MessagePack => Message::Binary(frame),
    }
}

/// The code for a socket that failed; `None` when the peer is gone.
pub fn failure(error: axum::Error) -> Option<CloseCode> {
    let error = error.into_inner();
    match error.downcast_ref::<tungstenite::Error>()? {
        tungstenite::Error::Capacity(_) => Some(CloseCode::TooLarge),
        tungstenite::Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => None,
        tungstenite::Error::Protocol(_) => Some(CloseCode::Protocol),
        tungstenite::Error::Utf8(_) => Some(CloseCode::InvalidText),
        tungstenite::Error::Io(error) => Bad::of(error).map(Bad::code),
        _ => None,
    }
}

/// Says before a close why.
pub(super) async fn refuse(
    socket: &mut WebSocket,
    encoding: Encoding,
    reference: Option<&Ref>,
    problem: &Problem,
) {
    let frame = ServerFrame::Error(ErrorFrame {
        reference: reference.map(|text| &**text),
        client_id: None,
        conversation_id: None,
        code: problem.code,
        message: &problem.message,
        retry_after_ms: problem.retry_after_ms,
    });
    // A peer that is gone needs no answer.
    let _ = socket.send(message(encoding, encoding.from_json(&encode(&frame)))).await;
}

/// Says before a close when to come back.
pub(super) async fn advise(socket: &mut WebSocket, encoding: Encoding, after_ms: u64, reason: &str) {
    let frame = ServerFrame::Reconnect(Reconnect { after_ms, reason });
    // A peer that is gone needs no advice.
    let _ = socket.send(message(encoding, encoding.from_json(&encode(&frame)))).await;
}
