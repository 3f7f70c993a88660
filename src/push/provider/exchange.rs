use std::time::{Duration, SystemTime};

use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, Response, StatusCode};

use super::retry_after::retry_after;
use super::{Answer, Delivery, Outcome};

/// Providers answer a line of JSON; more than this is not theirs.
const MAX_BODY: usize = 4096;

/// A provider's whole answer.
pub(in crate::push) struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Reply {
    pub fn delivery(&self, outcome: Outcome) -> Delivery {
        let answer = Answer { status: self.status.as_u16(), body: self.body.clone() };
        Delivery { outcome, answer: Some(answer), credential: false }
    }

    pub fn retry_after(&self, now: SystemTime) -> Option<Duration> {
        retry_after(&self.headers, now)
    }

    /// 429, every 5xx, and the time-out that a proxy reports: worth another try.
    pub fn is_transient(&self) -> bool {
        self.status.is_server_error()
            || self.status == StatusCode::TOO_MANY_REQUESTS
            || self.status == StatusCode::REQUEST_TIMEOUT
    }
}

/// No answer. Never carries the URL, which for APNs and Web Push contains the token.
#[derive(Debug)]
pub(in crate::push) enum Failure {
    /// The connection failed, was reset or went away, or time ran out.
    Lost(String),
    /// The request could not even be written.
    Unsendable(String),
}

impl Failure {
    pub fn delivery(self) -> Delivery {
        Delivery::unasked(match self {
            Self::Lost(reason) => Outcome::retry(reason),
            Self::Unsendable(reason) => Outcome::rejected(reason),
        })
    }
}

/// Sends a request and reads the whole answer.
pub(in crate::push) async fn exchange(request: RequestBuilder) -> Result<Reply, Failure> {
    let mut response = request.send().await.map_err(failure)?;
    let body = read_body(&mut response).await.map_err(failure)?;
    Ok(Reply { status: response.status(), headers: std::mem::take(response.headers_mut()), body })
}

async fn read_body(response: &mut Response) -> Result<String, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = MAX_BODY - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

fn failure(error: reqwest::Error) -> Failure {
    if error.is_builder() {
        return Failure::Unsendable(format!("cannot build the request: {}", root_cause(error)));
    }
    let what = if error.is_timeout() {
        return Failure::Lost("time-out".to_owned());
    } else if error.is_connect() {
        "cannot connect"
    } else {
        "connection lost"
    };
    Failure::Lost(format!("{what}: {}", root_cause(error)))
}

fn root_cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
