//! Echoes every WebSocket message, on the accept loop and with the WebSocket settings of the gateway: `make autobahn` runs the
//! Autobahn cases against it. Prints its address.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, HeaderName};
use axum::response::Response;
use axum::routing::get;
use futures_util::StreamExt;
use tidings::api::{Forwarded, Server, serve};
use tidings::gateway::deflate::Compression;
use tidings::gateway::handshake::{Arrival, configured, upgraded};
use tidings::gateway::{Linger, closing_handshake, failure};
use tokio_util::sync::CancellationToken;

/// The longest message of the cases.
const LIMIT: usize = 16 * 1024 * 1024;
/// So short that most messages of the compression cases leave deflated. The other cases do not offer it.
const THRESHOLD: usize = 64;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    let server = Server {
        header_timeout: Duration::from_secs(5),
        max_header_bytes: 16 * 1024,
        max_connections: 1000,
        tls: None,
        forwarded: Arc::new(Forwarded { trusted: Vec::new(), header: HeaderName::from_static("forwarded") }),
        compression: Some(Compression { threshold: THRESHOLD, limit: LIMIT }),
    };
    serve(listener, Router::new().fallback(get(upgrade)), server, CancellationToken::new()).await;
    Ok(())
}

async fn upgrade(
    Extension(arrival): Extension<Arrival>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Arrival { linger, deflate, .. } = arrival;
    upgraded(configured(upgrade, LIMIT), &headers, deflate, move |socket| echo(socket, linger))
}

async fn echo(mut socket: WebSocket, linger: Linger) {
    loop {
        match socket.next().await {
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                if socket.send(message).await.is_err() {
                    return;
                }
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_))) => {}
            Some(Err(error)) => {
                if let Some(code) = failure(error) {
                    linger.ask();
                    closing_handshake(&mut socket, code, Duration::from_secs(1)).await;
                }
                return;
            }
            None => return,
        }
    }
}
