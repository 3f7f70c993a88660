//! The web page and the JavaScript client, embedded in the binary.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::Api;
use crate::gateway::Problem;
use crate::protocol::ErrorCode;

#[derive(RustEmbed)]
#[folder = "web/page"]
struct Page;

#[derive(RustEmbed)]
#[folder = "web/client"]
#[include = "*.js"]
#[exclude = "test/*"]
struct Client;

/// Nothing from elsewhere, no script or style in the page itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; \
                      form-action 'self'; frame-ancestors 'none'";

/// Adds the page's routes.
pub fn add(routes: Router<Api>) -> Router<Api> {
    routes
        .route(
            "/",
            get(|headers: HeaderMap| async move { serve(Page::get("index.html"), "index.html", &headers) }),
        )
        .route("/client/{*path}", get(client))
        .route("/{*path}", get(page))
}

async fn page(Path(path): Path<String>, headers: HeaderMap) -> Response {
    serve(Page::get(&path), &path, &headers)
}

async fn client(Path(path): Path<String>, headers: HeaderMap) -> Response {
    serve(Client::get(&path), &path, &headers)
}

fn serve(file: Option<EmbeddedFile>, path: &str, headers: &HeaderMap) -> Response {
    let Some(file) = file else {
        return Problem::new(ErrorCode::NotFound, "there is nothing at this address").into_response();
    };
    let hash: String =
        file.metadata.sha256_hash().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{hash}\"");
    let unchanged =
        headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = if unchanged {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        file.data.into_owned().into_response()
    };
    let mut put = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    put(header::CONTENT_TYPE, content_type(path));
    put(header::ETAG, &tag);
    put(header::CACHE_CONTROL, "no-cache");
    put(header::CONTENT_SECURITY_POLICY, POLICY);
    put(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(header::REFERRER_POLICY, "no-referrer");
    response
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("webmanifest") => "application/manifest+json",
        Some("woff2") => "font/woff2",
        Some(_) | None => "application/octet-stream",
    }
}
