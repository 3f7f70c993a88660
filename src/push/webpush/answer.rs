use std::time::SystemTime;

use reqwest::StatusCode;

use crate::push::provider::{Outcome, Reply};

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
        _ if reply.is_transient() => Outcome::Retry { after: reply.retry_after(now), reason },
        _ => Outcome::rejected(reason),
    }
}
