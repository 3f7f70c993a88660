use std::time::SystemTime;

use reqwest::StatusCode;
use serde::Deserialize;

use crate::push::provider::{Outcome, Reply};

/// What an answer asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    Final(Outcome),
    /// The access token was refused, not the message.
    RenewToken {
        reason: String,
    },
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Body {
    error: Problem,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Problem {
    message: String,
    status: String,
    details: Vec<Detail>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Detail {
    error_code: Option<String>,
}

/// Reads Google's answer by the table in the design of push.
pub(super) fn read(reply: &Reply, now: SystemTime) -> Verdict {
    // A body that is no JSON comes from something between us and Google; the status still counts.
    let problem = serde_json::from_str::<Body>(&reply.body).unwrap_or_default().error;
    let code = problem.details.into_iter().find_map(|detail| detail.error_code).unwrap_or(problem.status);
    let reason = match (code.is_empty(), problem.message.is_empty()) {
        (true, _) => format!("status {}", reply.status.as_u16()),
        (false, true) => code.clone(),
        (false, false) => format!("{code}: {}", problem.message),
    };
    let outcome = match (reply.status, code.as_str()) {
        (StatusCode::OK, _) => Outcome::Delivered,
        (StatusCode::NOT_FOUND, "UNREGISTERED") => Outcome::token_invalid(reason),
        (StatusCode::FORBIDDEN, "SENDER_ID_MISMATCH") => Outcome::quarantine(reason),
        (StatusCode::UNAUTHORIZED, _) => return Verdict::RenewToken { reason },
        _ if reply.is_transient() => Outcome::Retry { after: reply.retry_after(now), reason },
        _ => Outcome::rejected(reason),
    };
    Verdict::Final(outcome)
}
