//! The plain port on which a test, a script or the page looks at phones and orders faults.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, request::Parts};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

use super::{Rule, Service, World};

#[derive(Clone)]
struct Control {
    world: Arc<World>,
    webpush_url: String,
}

pub(super) fn routes(world: Arc<World>, webpush_url: String) -> Router {
    // The page of `tidings dev` may look, a page from elsewhere may not.
    let origins = AllowOrigin::predicate(|origin: &HeaderValue, _: &Parts| is_loopback(origin));
    let cors = CorsLayer::new().allow_origin(origins).allow_methods(Any).allow_headers(Any);
    Router::new()
        .route("/phones", get(phones).delete(forget))
        .route("/phones/{token}", get(phone).delete(uninstall))
        .route("/subscriptions", post(subscribe))
        .route("/faults/{service}", post(fault))
        .route("/faults", delete(clear_faults))
        .route("/requests", get(requests))
        .layer(cors)
        .with_state(Control { world, webpush_url })
}

pub(super) async fn serve(listener: TcpListener, routes: Router, stop: CancellationToken) {
    let serve = axum::serve(listener, routes).into_future();
    tokio::select! {
        () = stop.cancelled() => {}
        result = serve => if let Err(error) = result {
            tracing::error!(%error, "the control port of the fake push services ended");
        },
    }
}

fn is_loopback(origin: &HeaderValue) -> bool {
    let host = origin.to_str().ok().and_then(|origin| {
        let url = reqwest::Url::parse(origin).ok()?;
        url.host_str().map(str::to_owned)
    });
    host.is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host.as_str()))
}

async fn phones(State(control): State<Control>) -> Json<Value> {
    Json(json!({ "phones": control.world.phones() }))
}

async fn forget(State(control): State<Control>) -> StatusCode {
    control.world.with_phones(|phones| phones.forget());
    StatusCode::NO_CONTENT
}

async fn phone(State(control): State<Control>, Path(token): Path<String>) -> Response {
    match control.world.phone(&token) {
        Some(phone) => Json(phone).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn uninstall(State(control): State<Control>, Path(token): Path<String>) -> StatusCode {
    match control.world.uninstall(&token) {
        Some(()) => StatusCode::NO_CONTENT,
        None => StatusCode::NOT_FOUND,
    }
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Subscribe {
    application_server_key: Option<String>,
}

async fn subscribe(State(control): State<Control>, body: Option<Json<Subscribe>>) -> Response {
    let key = body.and_then(|Json(body)| body.application_server_key);
    match control.world.subscribe(&control.webpush_url, key) {
        Ok(subscription) => (StatusCode::CREATED, Json(subscription)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a fake browser could not subscribe");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn fault(
    State(control): State<Control>,
    Path(service): Path<Service>,
    Json(rule): Json<Rule>,
) -> StatusCode {
    control.world.fault(service, rule);
    StatusCode::NO_CONTENT
}

async fn clear_faults(State(control): State<Control>) -> StatusCode {
    control.world.clear_faults();
    StatusCode::NO_CONTENT
}

async fn requests(State(control): State<Control>) -> Json<Value> {
    let counts: serde_json::Map<String, Value> = Service::ALL
        .into_iter()
        .map(|service| {
            let count = json!({
                "requests": control.world.requests(service),
                "connections": control.world.connections(service),
            });
            (service.name().to_owned(), count)
        })
        .collect();
    Json(Value::Object(counts))
}
