//! The HTTP API: one file a resource.

mod accounts;
mod acks;
mod caller;
mod conversations;
mod cors;
mod dev;
mod devices;
mod documents;
mod extract;
mod forwarded;
mod me;
mod members;
mod messages;
mod page;
mod presence;
mod problem;
mod push;
mod push_wishes;
mod relations;
mod server;
mod sessions;
mod trace;
mod users;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post, put};

use crate::auth::{AttemptLimiter, Issuer, Passwords, ServerKeys};
use crate::gateway::{Gateway, Problem, handshake};
use crate::protocol::ErrorCode;
use crate::push::fake::Lookout;

pub use self::documents::{asyncapi, openapi};
pub use self::forwarded::Forwarded;
pub use self::problem::problem;
pub use self::server::{Server, serve};

/// What the routes work with. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    pub gateway: Gateway,
    pub server_keys: Arc<ServerKeys>,
    pub push: Arc<PushRules>,
    /// Set where built-in accounts are switched on.
    pub accounts: Option<Arc<Accounts>>,
    /// With what browsers subscribe to Web Push, where that is configured.
    pub vapid_public_key: Option<String>,
    /// Set where fake push services run beside: `tidings dev`.
    pub fakes: Option<Lookout>,
}

/// What the configuration says about pushes, as far as callers meet it.
pub struct PushRules {
    /// How long a push lives.
    pub expiry: Duration,
    /// Push services that a browser's subscription may name; `None`: any, because none of them is connected to.
    pub webpush_hosts: Option<Vec<String>>,
    /// How often a user may make a device ring for a test.
    pub tests: AttemptLimiter,
    /// Members may see where a message is, not only backends.
    pub members_trace: bool,
}

/// Built-in accounts.
pub struct Accounts {
    pub passwords: Passwords,
    pub attempts: AttemptLimiter,
    pub issuer: Issuer,
    /// How long a sign-in lasts.
    pub session_ttl: Duration,
}

impl FromRef<Api> for Gateway {
    fn from_ref(api: &Api) -> Self {
        api.gateway.clone()
    }
}

/// All routes.
pub fn router(api: Api) -> Router {
    let settings = &api.gateway.settings;
    let routes = routes(settings.gateway.http_max_body, settings.gateway.http_timeout)
        .method_not_allowed_fallback(wrong_method);
    let routes = if api.fakes.is_some() { dev::add(routes) } else { routes };
    let routes = if settings.server.page { page::add(routes) } else { routes };
    routes.fallback(nothing_here).layer(cors::layer(&api.gateway)).with_state(api)
}

/// The routes of the API and of its documents, which every gateway has. A test holds them against the OpenAPI document.
fn routes(max_body: usize, timeout: Duration) -> Router<Api> {
    let routes = Router::new()
        .route("/v1/accounts", post(accounts::create))
        .route("/v1/sessions", post(sessions::create).delete(sessions::end))
        .route("/v1/me", get(me::read).patch(me::change))
        .route("/v1/conversations", get(conversations::list).post(conversations::create))
        .route("/v1/conversations/{id}", get(conversations::read).patch(conversations::change))
        .route("/v1/conversations/{id}/members", get(members::list).post(members::add))
        .route("/v1/conversations/{id}/members/me", patch(members::prefer))
        .route("/v1/conversations/{id}/members/{user_id}", put(members::put).delete(members::remove))
        .route("/v1/conversations/{id}/messages", get(messages::list).post(messages::send))
        .route("/v1/conversations/{id}/messages/{seq}/trace", get(trace::read))
        .route("/v1/messages", post(messages::send_to_user))
        .route("/v1/ack", post(acks::acknowledge))
        .route("/v1/users", get(users::list))
        .route("/v1/users/{id}", get(users::read).put(users::put).delete(users::remove))
        .route("/v1/users/{id}/revoke", post(users::revoke))
        .route("/v1/devices", get(devices::list))
        .route("/v1/devices/{device_id}", put(devices::put).delete(devices::remove))
        .route("/v1/devices/{device_id}/test", post(devices::test))
        .route("/v1/contacts", get(relations::contacts))
        .route(
            "/v1/contacts/{user_id}",
            get(relations::contact).put(relations::add_contact).delete(relations::remove_contact),
        )
        .route("/v1/blocks", get(relations::blocks))
        .route(
            "/v1/blocks/{user_id}",
            get(relations::block).put(relations::add_block).delete(relations::remove_block),
        )
        .route("/v1/presence", get(presence::list))
        .route("/v1/push", get(push::read))
        .layer(DefaultBodyLimit::max(max_body))
        .layer(axum::middleware::from_fn_with_state(timeout, in_time))
        .route("/v1/ws", get(handshake::upgrade));
    documents::add(routes)
}

/// Gives a request up that takes too long: a body that trickles, a store that does not answer.
async fn in_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::unavailable("this took too long", 1000).into_response(),
    }
}

async fn nothing_here() -> Problem {
    Problem::new(ErrorCode::NotFound, "there is nothing at this address")
}

async fn wrong_method() -> Response {
    let wrong = Problem::new(ErrorCode::Unsupported, "this address does not do that");
    problem(axum::http::StatusCode::METHOD_NOT_ALLOWED, &wrong)
}
