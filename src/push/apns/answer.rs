use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::StatusCode;
use serde_json::Value;

use crate::push::provider::{Outcome, Reply};

/// What an answer asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    Final(Outcome),
    /// The provider token was refused, not the notification.
    RenewToken {
        reason: String,
        after: Option<Duration>,
        /// Whether a new one may be signed, or only that of another process be taken.
        may_sign: bool,
    },
}

/// Whatever is not as it should be counts as missing: the rest of the answer still counts.
struct Body {
    reason: String,
    /// Of a 410: when Apple last saw that the token is dead, in milliseconds.
    timestamp: Option<u64>,
}

impl Body {
    fn parse(text: &str) -> Self {
        let json: Value = serde_json::from_str(text).unwrap_or_default();
        let reason = json["reason"].as_str().unwrap_or_default().to_owned();
        Self { reason, timestamp: json["timestamp"].as_u64() }
    }
}

const BAD_DEVICE_TOKEN: &str = "BadDeviceToken";

pub(super) fn is_bad_device_token(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::TokenInvalid { reason } if reason == BAD_DEVICE_TOKEN)
}

/// Reads Apple's answer by the table in the design of push.
pub(super) fn read(reply: &Reply, registered_at: SystemTime, now: SystemTime) -> Verdict {
    // A body that is no JSON comes from something between us and Apple; the status still counts.
    let body = Body::parse(&reply.body);
    let reason = if body.reason.is_empty() {
        format!("status {}", reply.status.as_u16())
    } else {
        body.reason.clone()
    };
    let outcome = match (reply.status, body.reason.as_str()) {
        (status, _) if status.is_success() => Outcome::Delivered,
        (StatusCode::GONE, _) if registered_since(body.timestamp, registered_at) => {
            Outcome::retry(format!("{reason}, but the device registered again since"))
        }
        (StatusCode::GONE, _) => Outcome::token_invalid(reason),
        (StatusCode::BAD_REQUEST, BAD_DEVICE_TOKEN) => Outcome::token_invalid(reason),
        (StatusCode::BAD_REQUEST, "DeviceTokenNotForTopic") => Outcome::quarantine(reason),
        (StatusCode::FORBIDDEN, "ExpiredProviderToken" | "InvalidProviderToken") => {
            return Verdict::RenewToken { reason, after: None, may_sign: true };
        }
        (StatusCode::TOO_MANY_REQUESTS, "TooManyProviderTokenUpdates") => {
            return Verdict::RenewToken { reason, after: reply.retry_after(now), may_sign: false };
        }
        _ if reply.is_transient() => Outcome::Retry { after: reply.retry_after(now), reason },
        _ => Outcome::rejected(reason),
    };
    Verdict::Final(outcome)
}

/// Whether the app registered this token after Apple found it dead: then Apple's word is old.
/// An answer without a timestamp is taken at its word.
fn registered_since(dead_at_ms: Option<u64>, registered_at: SystemTime) -> bool {
    dead_at_ms.is_some_and(|ms| UNIX_EPOCH + Duration::from_millis(ms) <= registered_at)
}
