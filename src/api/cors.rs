//! Which pages of other origins may call: those that may open a socket.

use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::gateway::Gateway;

pub fn layer(gateway: &Gateway) -> CorsLayer {
    let gateway = gateway.clone();
    let allowed = move |_: &HeaderValue, parts: &Parts| gateway.allows_origin(&parts.headers);
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static("x-tidings-user"),
        ])
        .max_age(std::time::Duration::from_secs(600))
}
