//! A socket that has said who it is.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use tokio::time::Instant;

use super::limits::TokenBucket;
use super::outbox::Outbox;
use super::rates::UserRate;
use crate::model::{ClientId, ConversationId, DeviceId, SessionId, Timestamp, UserId};
use crate::protocol::{CloseCode, Encoding, ErrorCode, ErrorFrame, Ref, ServerFrame, encode};

/// What the whole gateway knows of a socket; its task alone holds the rest.
pub struct Session {
    pub id: SessionId,
    pub user_id: UserId,
    pub device_id: Option<DeviceId>,
    /// The sign-in that its token belongs to.
    pub sign_in: Option<SessionId>,
    pub encoding: Encoding,
    pub outbox: Outbox,
    active: AtomicBool,
    expires_ms: AtomicI64,
    issued_ms: AtomicI64,
    /// Entries handed to the ingress and not settled yet.
    unsettled: AtomicU32,
    messages: Mutex<TokenBucket>,
    user_messages: UserRate,
    typing: Mutex<Option<(ConversationId, Instant)>>,
}

/// How a session begins.
pub struct NewSession {
    pub id: SessionId,
    pub user_id: UserId,
    pub device_id: Option<DeviceId>,
    pub sign_in: Option<SessionId>,
    pub encoding: Encoding,
    pub outbox_bytes: usize,
    pub active: bool,
    pub expires_at: Timestamp,
    pub issued_at: Option<Timestamp>,
    pub messages: TokenBucket,
    pub user_messages: UserRate,
}

/// Why a request is not done.
#[derive(Debug, Clone)]
pub struct Problem {
    pub code: ErrorCode,
    pub message: String,
    pub retry_after_ms: Option<u64>,
}

impl Problem {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after_ms: None }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadRequest, message)
    }

    /// One answer for what is not there and what is not for this user to know of.
    pub fn no_conversation() -> Self {
        Self::new(ErrorCode::NotFound, "there is no such conversation")
    }

    pub fn unavailable(message: impl Into<String>, retry_after_ms: u64) -> Self {
        Self { retry_after_ms: Some(retry_after_ms), ..Self::new(ErrorCode::Unavailable, message) }
    }

    pub fn rate_limited(retry_after: std::time::Duration) -> Self {
        let retry_after_ms = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX).max(1);
        Self { retry_after_ms: Some(retry_after_ms), ..Self::new(ErrorCode::RateLimited, "slow down") }
    }
}

impl From<crate::store::StoreError> for Problem {
    fn from(error: crate::store::StoreError) -> Self {
        if error.is_retryable() {
            tracing::warn!(%error, "gateway.store");
            Self::unavailable("the database is away", STORE_RETRY_MS)
        } else {
            tracing::error!(%error, "gateway.store");
            Self::new(ErrorCode::Internal, "the database refused this")
        }
    }
}

/// When to try again what the database did not answer.
pub const STORE_RETRY_MS: u64 = 1000;

/// How often a socket's typing in one conversation is passed on.
const TYPING_INTERVAL: std::time::Duration = std::time::Duration::from_millis(1000);

impl Session {
    pub fn new(new: NewSession) -> Self {
        Self {
            id: new.id,
            user_id: new.user_id,
            device_id: new.device_id,
            sign_in: new.sign_in,
            encoding: new.encoding,
            outbox: Outbox::holding(new.outbox_bytes),
            active: AtomicBool::new(new.active),
            expires_ms: AtomicI64::new(new.expires_at.as_millis()),
            issued_ms: AtomicI64::new(new.issued_at.map_or(0, Timestamp::as_millis)),
            unsettled: AtomicU32::new(0),
            messages: Mutex::new(new.messages),
            user_messages: new.user_messages,
            typing: Mutex::new(None),
        }
    }

    /// Answers with a frame.
    pub fn answer(&self, frame: &impl Serialize) {
        self.outbox.answer(self.encoding.from_json(&encode(frame)));
    }

    /// Answers with a frame that is JSON already.
    pub fn answer_json(&self, json: Bytes) {
        let frame = match self.encoding {
            Encoding::Json => json,
            Encoding::MessagePack => self.encoding.from_json(&json),
        };
        self.outbox.answer(frame);
    }

    /// Answers with a frame that may leave together with the next one; see [`super::late`].
    pub fn answer_later(&self, frame: &impl Serialize) -> bool {
        self.outbox.answer_later(self.encoding.from_json(&encode(frame)))
    }

    /// An entry of this socket is on its way to the queue.
    pub fn submitted(&self) {
        self.unsettled.fetch_add(1, Ordering::Relaxed);
    }

    /// What became of one is known.
    pub fn settled(&self) {
        self.unsettled.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether an `accepted` is to be expected.
    pub fn awaits_accepted(&self) -> bool {
        self.unsettled.load(Ordering::Relaxed) > 0
    }

    pub fn refuse(&self, reference: Option<&Ref>, client_id: Option<ClientId>, problem: &Problem) {
        self.refuse_in(None, reference, client_id, problem);
    }

    /// Answers that something is not done, naming the conversation for a refusal that comes later.
    pub fn refuse_in(
        &self,
        conversation_id: Option<ConversationId>,
        reference: Option<&Ref>,
        client_id: Option<ClientId>,
        problem: &Problem,
    ) {
        self.answer(&ServerFrame::Error(ErrorFrame {
            reference: reference.map(|text| &**text),
            client_id,
            conversation_id,
            code: problem.code,
            message: &problem.message,
            retry_after_ms: problem.retry_after_ms,
        }));
    }

    /// Sends a frame of JSON that was encoded for many sockets.
    pub fn send_json(&self, json: &Bytes) {
        self.outbox.event(self.encoding.from_json(json), None);
    }

    pub fn close(&self, code: CloseCode) {
        self.outbox.close(code);
    }

    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// Answers what it was.
    pub fn set_active(&self, active: bool) -> bool {
        self.active.swap(active, Ordering::Relaxed)
    }

    pub fn expires_at(&self) -> Timestamp {
        Timestamp::from_millis(self.expires_ms.load(Ordering::Relaxed))
    }

    /// When its token was made; `None` when the token does not say.
    pub fn issued_at(&self) -> Option<Timestamp> {
        let millis = self.issued_ms.load(Ordering::Relaxed);
        (millis > 0).then(|| Timestamp::from_millis(millis))
    }

    /// A fresh token was shown.
    pub fn renew(&self, expires_at: Timestamp, issued_at: Option<Timestamp>) {
        self.expires_ms.store(expires_at.as_millis(), Ordering::Relaxed);
        self.issued_ms.store(issued_at.map_or(0, Timestamp::as_millis), Ordering::Relaxed);
    }

    /// Takes one message off the socket's and its user's rate.
    pub fn take_message(&self, now: Instant) -> Result<(), Problem> {
        let mut bucket = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.take(now).map_err(Problem::rate_limited)?;
        drop(bucket);
        self.user_messages.take(now)
    }

    /// Whether typing in this conversation is to be passed on now.
    pub fn may_type(&self, conversation_id: ConversationId, now: Instant) -> bool {
        let mut last = self.typing.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|(id, at)| id == conversation_id && now.duration_since(at) < TYPING_INTERVAL) {
            return false;
        }
        *last = Some((conversation_id, now));
        true
    }
}
