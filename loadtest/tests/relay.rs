//! The generator against the bare relay, and both against another implementation of WebSocket.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tidings_loadtest::report::{Report, merge::merge};
use tidings_loadtest::run::{self, Options};
use tidings_loadtest::token::Minter;
use tidings_loadtest::ws::handshake;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use uuid::Uuid;

const DEADLINE: Duration = Duration::from_secs(20);

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    options: Options,
}

/// A relay on a thread of its own, which ends with the test's process.
fn relay() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            tidings_loadtest::relay::serve(listener).await
        })
    });
    address
}

async fn load(address: SocketAddr, more: &[&str]) -> Report {
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/pairs.toml");
    let url = format!("ws://{address}/v1/ws");
    let mut line = vec!["run", scenario, "--url", &url, "--no-store", "--quiet"];
    line.extend(["--sockets", "40", "--duration", "1s", "--warmup", "0s"]);
    line.extend(more);
    let options = Line::try_parse_from(line).unwrap().options.complete();
    run::run(&options).await.unwrap()
}

#[tokio::test]
async fn everything_offered_to_the_relay_is_delivered_and_measured() {
    let report = load(relay(), &["--rate", "200"]).await;
    assert!(report.is_clean(), "{}", report.verdict.line());
    assert_eq!(report.verdict.accepted, 200);
    assert_eq!(report.delivered.count, 200);
    assert!(report.delivered.mean_ms > 0.0);
}

#[tokio::test]
async fn threads_share_the_work_and_the_checker() {
    let report = load(relay(), &["--rate", "3000", "--threads", "2"]).await;
    assert!(report.is_clean(), "{}", report.verdict.line());
    assert_eq!(report.delivered.count, report.verdict.accepted);
    assert!(report.verdict.accepted > 2900, "{}", report.verdict.accepted);
}

#[tokio::test]
async fn the_reports_of_shards_add_up() {
    let address = relay();
    let shard = async |shard| load(address, &["--rate", "200", "--seed", "9", "--shard", shard]).await;
    let whole = merge(vec![shard("0/2").await, shard("1/2").await]).unwrap();
    assert!(whole.is_clean(), "{}", whole.verdict.line());
    assert_eq!((whole.sockets, whole.delivered.count), (40, 200));
    assert!(merge(vec![whole.clone(), load(address, &["--rate", "1"]).await]).is_err());
}

#[tokio::test]
async fn the_relay_understands_a_client_that_is_not_ours() {
    let address = relay();
    let minter = Minter::new(b"", 60);
    let mut clients = Vec::new();
    for user in ["ann", "ben"] {
        let mut request = format!("ws://{address}/v1/ws").into_client_request().unwrap();
        let bearer = format!("Bearer {}", minter.mint(user, 0));
        request.headers_mut().insert("Authorization", bearer.parse().unwrap());
        let (mut client, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        client.send(Message::text(r#"{"type":"hello"}"#)).await.unwrap();
        assert_eq!(next(&mut client).await["type"], "welcome");
        assert_eq!(next(&mut client).await["done"], true);
        clients.push(client);
    }
    let client_id = Uuid::from_u128(1);
    let send = json!({"type": "send", "to": "ben", "client_id": client_id, "text": "a \"b\""});
    clients[0].send(Message::text(send.to_string())).await.unwrap();
    for client in &mut clients {
        let message = next(client).await;
        assert_eq!(message["type"], "message");
        assert_eq!((&message["seq"], &message["text"]), (&json!(1), &json!("a \"b\"")));
    }
    assert_eq!(next(&mut clients[0]).await["type"], "accepted");
}

async fn next(
    client: &mut tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<TcpStream>>,
) -> Value {
    let message = timeout(DEADLINE, client.next()).await.expect("a frame in time");
    let message = message.expect("an open socket").expect("a readable frame");
    serde_json::from_str(message.to_text().unwrap()).unwrap()
}

#[tokio::test]
#[allow(clippy::result_large_err)] // the callback's type is the other implementation's
async fn our_upgrade_satisfies_a_server_that_is_not_ours() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut offered = None;
        let callback =
            |request: &tokio_tungstenite::tungstenite::handshake::server::Request,
             mut answer: tokio_tungstenite::tungstenite::handshake::server::Response| {
                offered = request.headers().get("authorization").cloned();
                let protocol = request.headers()["sec-websocket-protocol"].clone();
                answer.headers_mut().insert("sec-websocket-protocol", protocol);
                Ok(answer)
            };
        tokio_tungstenite::accept_hdr_async(stream, callback).await.unwrap();
        offered
    });
    let mut stream = TcpStream::connect(address).await.unwrap();
    let rest = handshake::connect(&mut stream, "x", "/v1/ws", Some("abc")).await.unwrap();
    assert!(rest.is_empty());
    assert_eq!(server.await.unwrap().unwrap(), "Bearer abc");
}
