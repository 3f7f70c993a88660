//! Which label of the metrics something counts under.

use crate::protocol::{ClientFrame, CloseCode, ErrorCode};
use crate::telemetry::metrics::{CloseReason, FrameType, RejectCode};

pub(super) const fn rejection(code: ErrorCode) -> RejectCode {
    match code {
        ErrorCode::BadRequest => RejectCode::BadRequest,
        ErrorCode::Unauthenticated => RejectCode::Unauthenticated,
        ErrorCode::Forbidden => RejectCode::Forbidden,
        ErrorCode::NotFound => RejectCode::NotFound,
        ErrorCode::TooLarge => RejectCode::TooLarge,
        ErrorCode::RateLimited => RejectCode::RateLimited,
        ErrorCode::Conflict => RejectCode::Conflict,
        ErrorCode::Unavailable => RejectCode::Unavailable,
        ErrorCode::Unsupported => RejectCode::Unsupported,
        ErrorCode::Internal => RejectCode::Internal,
    }
}

pub(super) const fn closing(code: CloseCode) -> CloseReason {
    match code {
        CloseCode::Normal => CloseReason::Client,
        CloseCode::GoingAway => CloseReason::Idle,
        CloseCode::Protocol
        | CloseCode::InvalidText
        | CloseCode::TooManyBadFrames
        | CloseCode::RateLimited
        | CloseCode::NoHello => CloseReason::Protocol,
        CloseCode::TooLarge => CloseReason::TooLarge,
        CloseCode::Restarting => CloseReason::Drain,
        CloseCode::TryAgainLater => CloseReason::Error,
        CloseCode::Unauthenticated | CloseCode::Expelled => CloseReason::Auth,
        CloseCode::SlowConsumer => CloseReason::SlowConsumer,
    }
}

pub(super) const fn incoming(frame: &ClientFrame) -> FrameType {
    match frame {
        ClientFrame::Hello(_) => FrameType::Hello,
        ClientFrame::Send(_) => FrameType::Send,
        ClientFrame::Edit(_) => FrameType::Edit,
        ClientFrame::Delete(_) => FrameType::Delete,
        ClientFrame::React(_) => FrameType::React,
        ClientFrame::Ack(_) => FrameType::Ack,
        ClientFrame::Read(_) => FrameType::Read,
        ClientFrame::Typing(_) => FrameType::Typing,
        ClientFrame::History(_) => FrameType::History,
        ClientFrame::Sync(_) => FrameType::Sync,
        ClientFrame::Presence(_) => FrameType::Presence,
        ClientFrame::State(_) => FrameType::State,
        ClientFrame::Auth(_) => FrameType::Auth,
        ClientFrame::Ping => FrameType::Ping,
    }
}

/// What one of our own frames counts under: every frame begins with its type.
pub(super) fn outgoing(json: &[u8]) -> FrameType {
    const START: &[u8] = b"{\"type\":\"";
    let Some(rest) = json.strip_prefix(START) else { return FrameType::Unknown };
    match rest.split(|byte| *byte == b'"').next() {
        Some(b"message") => FrameType::Message,
        Some(b"accepted") => FrameType::Accepted,
        Some(b"welcome") => FrameType::Welcome,
        Some(b"sync") => FrameType::Sync,
        Some(b"receipt") => FrameType::Receipt,
        Some(b"typing") => FrameType::Typing,
        Some(b"presence") => FrameType::Presence,
        Some(b"conversation") => FrameType::Conversation,
        Some(b"history") => FrameType::History,
        Some(b"resync") => FrameType::Resync,
        Some(b"reconnect") => FrameType::Reconnect,
        Some(b"error") => FrameType::Error,
        Some(b"pong") => FrameType::Pong,
        Some(_) | None => FrameType::Unknown,
    }
}
