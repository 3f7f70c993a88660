//! The upgrade: origin, subprotocol, token, room.

use std::net::IpAddr;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use std::sync::atomic::Ordering;
use tokio::time::Instant;

use super::connection;
use super::deflate::Switch;
use super::login::Rejected;
use super::opening::Opening;
use super::{Gateway, Linger, Problem};
use crate::auth;
use crate::protocol::{Encoding, ErrorCode, JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL};
use crate::telemetry::metrics::RejectReason;

/// What the accept loop knows of a connection.
#[derive(Clone)]
pub struct Arrival {
    pub accepted_at: Instant,
    /// The client's; behind a trusted proxy as that says.
    pub address: IpAddr,
    pub linger: Linger,
    /// `None` when no socket is compressed.
    pub deflate: Option<Switch>,
}

/// Small, because every socket has one; a frame that is longer grows it for a moment.
const READ_BUFFER: usize = 512;
/// Past this, frames are written while more are being put together.
const WRITE_BUFFER: usize = 8 * 1024;

/// Upgrades to a WebSocket.
#[utoipa::path(get, path = "/v1/ws", tag = "socket", security((), ("user_token" = [])),
    responses((status = 101), (status = 426, description = "No upgrade was asked for.")))]
pub async fn upgrade(
    State(gateway): State<Gateway>,
    Extension(arrival): Extension<Arrival>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => {
            let rejected = rejection.into_response();
            let wrong = Problem::bad_request("this address is for WebSockets");
            return with_headers_of(&rejected, crate::api::problem(rejected.status(), &wrong));
        }
    };
    match prepare(&gateway, &uri, &headers).await {
        Ok((encoding, identity)) => {
            let upgrade = match encoding.subprotocol {
                Some(name) => upgrade.protocols([name]),
                None => upgrade,
            };
            let limit = gateway.settings.gateway.max_frame_bytes;
            let deflate = arrival.deflate.clone();
            let opening = Box::new(Opening { encoding: encoding.encoding, identity, arrival });
            upgraded(configured(upgrade, limit), &headers, deflate, move |socket: WebSocket| {
                let tasks = gateway.tasks.clone();
                tasks.track_future(connection::run(gateway, Box::new(socket), opening))
            })
        }
        Err(Refused { status, reason, problem }) => {
            gateway.metrics.gateway.connections_rejected_total.get(reason).inc();
            crate::api::problem(status, &problem)
        }
    }
}

/// How every socket is read and written; frames and messages up to `limit` bytes.
pub fn configured(upgrade: WebSocketUpgrade, limit: usize) -> WebSocketUpgrade {
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_frame_size(limit)
        .max_message_size(limit)
}

/// Answers the upgrade, and the offer to compress if there is one that can be met.
pub fn upgraded<F>(
    upgrade: WebSocketUpgrade,
    headers: &HeaderMap,
    deflate: Option<Switch>,
    serve: impl FnOnce(WebSocket) -> F + Send + 'static,
) -> Response
where
    F: Future<Output = ()> + Send + 'static,
{
    let agreed = deflate.as_ref().and_then(|switch| switch.agree(headers));
    let mut answer = upgrade.on_upgrade(move |socket| {
        if let Some(switch) = deflate {
            switch.upgraded();
        }
        serve(socket)
    });
    if let Some(agreed) = agreed {
        answer.headers_mut().insert(header::SEC_WEBSOCKET_EXTENSIONS, agreed);
    }
    answer
}

/// A rejected upgrade says by its headers what it wants.
fn with_headers_of(rejected: &Response, mut answer: Response) -> Response {
    for (name, value) in rejected.headers() {
        if ![header::CONTENT_TYPE, header::CONTENT_LENGTH].contains(name) {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    answer
}

struct Refused {
    status: StatusCode,
    reason: RejectReason,
    problem: Problem,
}

impl Refused {
    fn new(status: StatusCode, reason: RejectReason, code: ErrorCode, message: &str) -> Self {
        Self { status, reason, problem: Problem::new(code, message) }
    }
}

struct Chosen {
    encoding: Encoding,
    subprotocol: Option<&'static str>,
}

async fn prepare(
    gateway: &Gateway,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(Chosen, Option<super::login::Identity>), Refused> {
    if gateway.draining.load(Ordering::Relaxed) {
        let message = "this process is stopping, connect again";
        return Err(Refused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            RejectReason::Draining,
            ErrorCode::Unavailable,
            message,
        ));
    }
    if !gateway.allows_origin(headers) {
        return Err(Refused::new(
            StatusCode::FORBIDDEN,
            RejectReason::Origin,
            ErrorCode::Forbidden,
            "this origin is not in server.allowed_origins",
        ));
    }
    let chosen = subprotocol(headers)?;
    let unauthenticated = |message: &str| {
        Refused::new(StatusCode::UNAUTHORIZED, RejectReason::Auth, ErrorCode::Unauthenticated, message)
    };
    let bearer = auth::bearer(headers).map_err(|error| unauthenticated(&error.to_string()))?;
    let from_url = token_in(uri);
    if from_url.is_some() && !gateway.settings.server.token_in_url {
        return Err(unauthenticated("a token in the URL ends in logs; send it in the header or in hello"));
    }
    let Some(token) = bearer.or(from_url) else { return Ok((chosen, None)) };
    match gateway.verify(token).await {
        Ok(identity) => Ok((chosen, Some(identity))),
        Err(Rejected::Later(_)) => Err(Refused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            RejectReason::Auth,
            ErrorCode::Unavailable,
            "the keys for this token cannot be had now",
        )),
        Err(rejected) => Err(unauthenticated(&rejected.problem().message)),
    }
}

/// The one of ours that the client likes best; JSON when it names none.
fn subprotocol(headers: &HeaderMap) -> Result<Chosen, Refused> {
    let offers: Vec<&str> = headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    for offer in &offers {
        if *offer == JSON_SUBPROTOCOL {
            return Ok(Chosen { encoding: Encoding::Json, subprotocol: Some(JSON_SUBPROTOCOL) });
        }
        if *offer == MSGPACK_SUBPROTOCOL {
            return Ok(Chosen { encoding: Encoding::MessagePack, subprotocol: Some(MSGPACK_SUBPROTOCOL) });
        }
    }
    if offers.is_empty() {
        return Ok(Chosen { encoding: Encoding::Json, subprotocol: None });
    }
    Err(Refused::new(
        StatusCode::BAD_REQUEST,
        RejectReason::Auth,
        ErrorCode::Unsupported,
        "the subprotocols are tidings.v1.json and tidings.v1.msgpack",
    ))
}

fn token_in(uri: &Uri) -> Option<&str> {
    uri.query()?.split('&').find_map(|pair| pair.strip_prefix("token="))
}

impl Gateway {
    /// Whether a browser on this page may speak to us; clients that are no browsers send no `Origin`.
    pub fn allows_origin(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else { return true };
        origins.next().is_none() && self.allows(origin, headers.get(header::HOST))
    }

    fn allows(&self, origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        if self.settings.server.allowed_origins.iter().any(|allowed| allowed == origin) {
            return true;
        }
        let Ok(parsed) = origin.parse::<Uri>() else { return false };
        let Some(authority) = parsed.authority() else { return false };
        // The page that this gateway itself serves.
        if self.settings.server.page && host.is_some_and(|host| host == authority.as_str()) {
            return true;
        }
        self.settings.allow_loopback_origins && is_loopback(authority.host())
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
