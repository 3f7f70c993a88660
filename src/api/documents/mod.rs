//! What the API says of itself: OpenAPI for HTTP, AsyncAPI for the socket, a page for people. All of it comes from the code.

mod asyncapi;
mod openapi;
mod page;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use axum::Router;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Api;

pub use asyncapi::asyncapi;
pub use openapi::openapi;

/// The documents do not change while the process runs.
static OPENAPI: LazyLock<String> = LazyLock::new(|| openapi().to_string());
static ASYNCAPI: LazyLock<String> = LazyLock::new(|| asyncapi().to_string());
static PAGE: LazyLock<String> = LazyLock::new(|| page::render(&openapi(), &asyncapi()));

/// The page's own style sheet, and nothing else from anywhere.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Adds the documents' routes.
pub fn add(routes: Router<Api>) -> Router<Api> {
    routes
        .route("/v1/openapi.json", get(serve_openapi))
        .route("/v1/asyncapi.json", get(serve_asyncapi))
        .route("/docs", get(|| async { served("text/html; charset=utf-8", &PAGE) }))
        .route("/docs/style.css", get(|| async { served("text/css; charset=utf-8", page::STYLE) }))
}

/// This document.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "documents", security(()),
    responses((status = 200, body = serde_json::Value)))]
async fn serve_openapi() -> Response {
    served("application/json", &OPENAPI)
}

/// The frames of the socket, as AsyncAPI.
#[utoipa::path(get, path = "/v1/asyncapi.json", tag = "documents", security(()),
    responses((status = 200, body = serde_json::Value)))]
async fn serve_asyncapi() -> Response {
    served("application/json", &ASYNCAPI)
}

fn served(content_type: &'static str, body: &'static str) -> Response {
    let headers: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, body).into_response()
}
