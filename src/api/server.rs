//! The accept loop: TCP, TLS where a certificate is configured, HTTP/1.1 with time limits.
//!
//! Our own because `axum::serve` gives a slow client all the time in the world.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::forwarded::Forwarded;
use crate::gateway::deflate::{Compression, Deflating, Switch};
use crate::gateway::handshake::Arrival;
use crate::gateway::{Linger, Lingering};
use crate::tls::ServerConfigSource;

/// How connections are served.
#[derive(Clone)]
pub struct Server {
    /// From the accept to the end of a request's headers, TLS included.
    pub header_timeout: Duration,
    pub max_header_bytes: usize,
    /// Connections that may be open at once, sockets and requests together.
    pub max_connections: usize,
    pub tls: Option<Arc<ServerConfigSource>>,
    pub forwarded: Arc<Forwarded>,
    /// For clients that offer it; `None` when the operator did not switch it on.
    pub compression: Option<Compression>,
}

/// hyper's least.
const MIN_BUFFER: usize = 8192;

/// Accepts until `stop`. Connections that are open then go on; the caller ends them.
pub async fn serve(listener: TcpListener, router: Router, server: Server, stop: CancellationToken) {
    let room = Arc::new(Semaphore::new(server.max_connections.saturating_add(SPARE)));
    loop {
        // Past the room the kernel's backlog holds them, and then refuses.
        let permit = tokio::select! {
            () = stop.cancelled() => return,
            permit = Arc::clone(&room).acquire_owned() => permit,
        };
        let Ok(permit) = permit else { return };
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "server.accept");
                // Out of file descriptors: waiting is all there is to do.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (router, server) = (router.clone(), server.clone());
        tokio::spawn(async move {
            connection(stream, peer, router, server).await;
            drop(permit);
        });
    }
}

/// Room beyond the sockets, for requests and for telling clients that it is full.
const SPARE: usize = 256;

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, server: Server) {
    let accepted_at = Instant::now();
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "server.nodelay");
    }
    let arrival = Arrived { accepted_at, peer, linger: Linger::default() };
    let Some(tls) = &server.tls else {
        return http(stream, arrival, router, &server).await;
    };
    let handshake = tls.acceptor().accept(stream);
    match tokio::time::timeout_at(accepted_at + server.header_timeout, handshake).await {
        Ok(Ok(stream)) => http(stream, arrival, router, &server).await,
        Ok(Err(error)) => tracing::debug!(%error, "server.tls"),
        Err(_) => tracing::debug!("server.tls_timeout"),
    }
}

/// What is known of a connection before it asks for anything.
struct Arrived {
    accepted_at: Instant,
    peer: SocketAddr,
    linger: Linger,
}

async fn http<S>(stream: S, arrived: Arrived, router: Router, server: &Server)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let deflate = server.compression.map(|_| Switch::default());
    let stream = Lingering::new(stream, arrived.linger.clone());
    let stream = Deflating::new(stream, deflate.clone().zip(server.compression));
    let forwarded = Arc::clone(&server.forwarded);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let router = router.clone();
        let arrival = Arrival {
            accepted_at: arrived.accepted_at,
            address: forwarded.client(arrived.peer, request.headers()),
            linger: arrived.linger.clone(),
            deflate: deflate.clone(),
        };
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(arrival);
            let response: Result<_, Infallible> = router.oneshot(request).await;
            response
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(server.header_timeout)
        .max_buf_size(server.max_header_bytes.max(MIN_BUFFER))
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "server.connection");
    }
}
