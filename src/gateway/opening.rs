//! A socket's beginning: it says who it is, within its time, or is closed.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::ws::WebSocket;
use futures_util::StreamExt;
use tokio::time::Instant;

use super::Gateway;
use super::frames::{advise, failure, payload, read, refuse};
use super::handshake::Arrival;
use super::limits::{BadFrames, TokenBucket};
use super::login::{Identity, Rejected};
use super::session::{NewSession, Problem, Session};
use crate::model::{ConversationId, Seq, SessionId};
use crate::protocol::{ClientFrame, CloseCode, Encoding, Hello, Ref};
use crate::telemetry::metrics::{Direction, FrameType, RejectReason, Resumed};

/// What is known of a socket when it opens.
pub struct Opening {
    pub encoding: Encoding,
    /// Set when the upgrade carried a token.
    pub identity: Option<Identity>,
    pub arrival: Arrival,
}

/// A socket that said who it is, and is in the registry.
pub(super) struct Identified {
    pub session: Arc<Session>,
    pub reference: Option<Ref>,
    /// The rest of its `hello` is gone: a token would stay in memory as long as the socket.
    pub cursors: HashMap<ConversationId, Seq>,
}

/// Waits for `hello`. `Err(None)`: the peer is gone.
pub(super) async fn identify(
    gateway: &Gateway,
    socket: &mut WebSocket,
    opening: Box<Opening>,
) -> Result<Identified, Option<CloseCode>> {
    let deadline = opening.arrival.accepted_at + gateway.settings.gateway.hello_timeout;
    let room = gateway.metrics.gateway.connections.get() <= gateway.settings.max_connections as i64;
    if !room {
        gateway.metrics.gateway.connections_rejected_total.get(RejectReason::Capacity).inc();
        advise(socket, opening.encoding, rand::random_range(1000..5000), "full").await;
        return Err(Some(CloseCode::TryAgainLater));
    }
    let (reference, hello) = match tokio::time::timeout_at(deadline, first(gateway, socket, &opening)).await {
        Ok(hello) => hello?,
        Err(_) => return Err(Some(CloseCode::NoHello)),
    };
    gateway.metrics.gateway.frames_total.get(Direction::In, FrameType::Hello).inc();
    match enter(gateway, &opening, &hello).await {
        Ok(session) => Ok(Identified { session, reference, cursors: hello.cursors }),
        Err(rejected) => {
            let reason = match &rejected {
                Rejected::Later(_) => RejectReason::Rate,
                Rejected::Token(_) | Rejected::Unknown | Rejected::Expelled => RejectReason::Auth,
            };
            gateway.metrics.gateway.connections_rejected_total.get(reason).inc();
            if let Rejected::Later(after) = &rejected {
                let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                advise(socket, opening.encoding, millis, "try again later").await;
            } else {
                refuse(socket, opening.encoding, reference.as_ref(), &rejected.problem()).await;
            }
            Err(Some(rejected.close_code()))
        }
    }
}

/// The first frame, which must be `hello`; after one that cannot be taken another may come.
async fn first(
    gateway: &Gateway,
    socket: &mut WebSocket,
    opening: &Opening,
) -> Result<(Option<Ref>, Box<Hello>), Option<CloseCode>> {
    let mut bad_frames = BadFrames::none(Instant::now());
    loop {
        let message = match socket.next().await {
            Some(Ok(message)) => message,
            Some(Err(error)) => return Err(failure(error)),
            None => return Err(None),
        };
        let Some(payload) = payload(message) else { continue };
        let problem = match read(opening.encoding, &payload) {
            Ok((reference, ClientFrame::Hello(hello))) => return Ok((reference, hello)),
            Ok((reference, _)) => (reference, Problem::bad_request("the first frame is `hello`")),
            Err(bad) if bad.hello => {
                let problem = Problem::new(bad.code, bad.message);
                refuse(socket, opening.encoding, bad.reference.as_ref(), &problem).await;
                bad_frames
                    .count(Instant::now(), gateway.settings.gateway.bad_frames_per_minute)
                    .map_err(Some)?;
                continue;
            }
            Err(bad) => (bad.reference, Problem::new(bad.code, bad.message)),
        };
        refuse(socket, opening.encoding, problem.0.as_ref(), &problem.1).await;
        return Err(Some(CloseCode::NoHello));
    }
}

/// Turns `hello` into a session, which is in the registry: from here on it gets events.
async fn enter(gateway: &Gateway, opening: &Opening, hello: &Hello) -> Result<Arc<Session>, Rejected> {
    let identity = match (&opening.identity, &hello.token) {
        (Some(identity), None) => identity.clone(),
        (known, Some(token)) => {
            let shown = gateway.verify(token).await?;
            if known.as_ref().is_some_and(|known| known.user_id != shown.user_id) {
                return Err(Rejected::Token(crate::auth::TokenError::BadSubject));
            }
            shown
        }
        (None, None) => return Err(Rejected::Token(crate::auth::TokenError::Malformed)),
    };
    gateway.wait_for_turn(opening.arrival.address).await?;
    gateway.admit(&identity).await?;
    let settings = &gateway.settings.gateway;
    let user_id = identity.user_id;
    let session = Arc::new(Session::new(NewSession {
        id: SessionId::new(),
        device_id: hello.device_id.clone().or(identity.device_id),
        sign_in: identity.sign_in,
        encoding: opening.encoding,
        outbox_bytes: settings.outbox_bytes,
        active: hello.active.unwrap_or(true),
        expires_at: identity.expires_at,
        issued_at: identity.issued_at,
        messages: TokenBucket::new(settings.messages_per_second, settings.message_burst, Instant::now()),
        user_messages: gateway.rates.of(&user_id),
        user_id,
    }));
    if gateway.registry.add(&session) > settings.sockets_per_user {
        gateway.leave(&session).await;
        return Err(Rejected::Later(std::time::Duration::from_secs(30)));
    }
    let resumed = if hello.cursors.is_empty() { Resumed::No } else { Resumed::Yes };
    gateway.metrics.gateway.connections_opened_total.get(resumed).inc();
    Ok(session)
}
