use std::time::SystemTime;

use reqwest::StatusCode;

use crate::push::provider::{Outcome, Reply};

/// How Apple, Mozilla and Google say that a subscription was made with another key than the one that signed.
const ANOTHER_KEY: [&str; 3] = ["VapidPkHashMismatch", "key mismatch", "do not correspond"];

/// Push services write what they like into a body; this much of it goes into a reason.
const MAX_REASON: usize = 120;

/// Reads a push service's answer by the table in the design of push. RFC 8030 answers 201;
/// some services say so with another 2xx.
pub(super) fn read(reply: &Reply, now: SystemTime) -> Outcome {
    let said: String = reply.body.trim().chars().take(MAX_REASON).collect();
    let reason = match (reply.status.as_u16(), said.is_empty()) {
        (status, true) => format!("status {status}"),
        (status, false) => format!("status {status}: {said}"),
    };
    match reply.status {
        status if status.is_success() => Outcome::Delivered,
        StatusCode::NOT_FOUND | StatusCode::GONE => Outcome::token_invalid(reason),
        // Only the browser can mend it, by subscribing anew: no retry helps, and the next push would fare the same.
        _ if names_another_key(reply) => Outcome::quarantine(reason),
        _ if reply.is_transient() => Outcome::Retry { after: reply.retry_after(now), reason },
        _ => Outcome::rejected(reason),
    }
}

/// It is who signed that was not accepted: another key may be.
pub(super) fn refuses_sender(reply: &Reply) -> bool {
    matches!(reply.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) || names_another_key(reply)
}

fn names_another_key(reply: &Reply) -> bool {
    let may = [StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
    may.contains(&reply.status) && ANOTHER_KEY.iter().any(|words| reply.body.contains(words))
}
