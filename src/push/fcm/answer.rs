use std::time::SystemTime;

use reqwest::StatusCode;
use serde_json::Value;

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

const UNREGISTERED: &str = "UNREGISTERED";

/// Whatever is not as it should be counts as missing: the rest of the answer still counts.
struct Problem {
    /// Firebase's own code, else the one that all of Google's services have.
    code: String,
    message: String,
}

impl Problem {
    fn parse(text: &str) -> Self {
        let json: Value = serde_json::from_str(text).unwrap_or_default();
        let error = &json["error"];
        let own = error["details"].as_array().into_iter().flatten().find_map(|one| one["errorCode"].as_str());
        let code = match (own, error["status"].as_str()) {
            (Some(own), _) => own,
            // In Google's words the same; an address that it does not know gets no JSON.
            (None, Some("NOT_FOUND")) => UNREGISTERED,
            (None, general) => general.unwrap_or_default(),
        };
        let code = code.to_owned();
        Self { code, message: error["message"].as_str().unwrap_or_default().to_owned() }
    }
}

/// Reads Google's answer by the table in the design of push.
pub(super) fn read(reply: &Reply, now: SystemTime) -> Verdict {
    // A body that is no JSON comes from something between us and Google; the status still counts.
    let Problem { code, message } = Problem::parse(&reply.body);
    let reason = match (code.is_empty(), message.is_empty()) {
        (true, _) => format!("status {}", reply.status.as_u16()),
        (false, true) => code.clone(),
        (false, false) => format!("{code}: {message}"),
    };
    let outcome = match (reply.status, code.as_str()) {
        (status, _) if status.is_success() => Outcome::Delivered,
        (StatusCode::NOT_FOUND, UNREGISTERED) => Outcome::token_invalid(reason),
        (StatusCode::FORBIDDEN, "SENDER_ID_MISMATCH") => Outcome::quarantine(reason),
        (StatusCode::UNAUTHORIZED, _) => return Verdict::RenewToken { reason },
        _ if reply.is_transient() => Outcome::Retry { after: reply.retry_after(now), reason },
        _ => Outcome::rejected(reason),
    };
    Verdict::Final(outcome)
}
