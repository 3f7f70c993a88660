//! Errors as `application/problem+json` (RFC 9457), with the protocol's codes as `code`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::gateway::Problem;
use crate::protocol::ErrorCode;

/// What went wrong.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Details<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: ErrorCode,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

/// The answer for a problem, under a status of its own.
pub fn problem(status: StatusCode, problem: &Problem) -> Response {
    let details = Details {
        kind: "about:blank",
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        detail: &problem.message,
        code: problem.code,
        retry_after_ms: problem.retry_after_ms,
    };
    let mut response = (status, axum::Json(details)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(millis) = problem.retry_after_ms {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(millis.div_ceil(1000)));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        problem(status, &self)
    }
}
