//! TLS: to clients, with a certificate that is replaced while it runs, and to each of the services, with an authority of one's own.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::support::authority::{Authority, Front};
use crate::support::client::{Client, SOON, token};
use crate::support::server::Server;
use crate::support::stack::Stack;
use crate::support::world::World;

#[tokio::test]
async fn each_service_and_all_of_them_are_reached_by_tls_with_an_authority_of_one_s_own() {
    let stack = Stack::shared().await;
    let authority = Authority::new();
    let ca = authority.file().to_str().unwrap().to_owned();
    let (rabbitmq, redis) = (stack.rabbitmq.url().to_owned(), stack.redis.url().to_owned());
    let of_rabbitmq = Front::of(&rabbitmq, &authority).await;
    let of_redis = Front::of(&redis, &authority).await;
    for (by_amqps, by_rediss, by_tls) in
        [(true, false, false), (false, true, false), (false, false, true), (true, true, true)]
    {
        let database = stack.postgres.database().await;
        let prefix = format!("t{:08x}", rand::random::<u32>());
        let mut settings = vec![("rabbitmq__prefix", prefix.clone()), ("redis__prefix", prefix)];
        if by_amqps {
            settings.push(("rabbitmq__url", of_rabbitmq.url(&rabbitmq)));
            settings.push(("rabbitmq__ca_file", ca.clone()));
        } else {
            settings.push(("rabbitmq__url", rabbitmq.clone()));
        }
        if by_rediss {
            settings.push(("redis__url", of_redis.url(&redis)));
            settings.push(("redis__ca_file", ca.clone()));
        } else {
            settings.push(("redis__url", redis.clone()));
        }
        if by_tls {
            let front = Front::of(&database, &authority).await;
            settings.push(("postgres__url", front.url(&database)));
            settings.push(("postgres__ca_file", ca.clone()));
        } else {
            settings.push(("postgres__url", database.clone()));
        }
        let settings: Vec<(&str, &str)> =
            settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let mut migrating = Server::spawned("migrate", &settings);
        assert!(migrating.ended().await.success(), "{}", migrating.output());
        let (gateway, _worker) =
            tokio::join!(Server::start("gateway", &settings), Server::start("worker", &settings));
        let (mut alice, _) = Client::login(gateway.listen, "alice").await;
        let (mut bob, _) = Client::login(gateway.listen, "bob").await;
        alice.say_to("bob", "encrypted").await;
        bob.message("encrypted").await;
    }
}

/// Sends a frame; answers the next one of this type.
async fn ask(socket: &mut WebSocketStream<TlsStream<TcpStream>>, frame: Value, answer: &str) -> Value {
    socket.send(Message::text(frame.to_string())).await.unwrap();
    loop {
        let next = tokio::time::timeout(SOON, socket.next()).await.expect("in time");
        if let Message::Text(text) = next.expect("the socket is open").unwrap() {
            let frame: Value = serde_json::from_str(&text).unwrap();
            if frame["type"] == answer {
                return frame;
            }
        }
    }
}

#[tokio::test]
async fn clients_speak_tls_and_a_new_certificate_is_shown_without_a_restart() {
    let (old, new) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    old.write_to(folder.path());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let settings =
        [("server__tls_cert_file", &*path("tls.crt")), ("server__tls_key_file", &*path("tls.key"))];
    let world = World::dev(&settings).await;
    let url = format!("https://localhost:{}/v1/me", world.here.port());
    // A client of its own for each try: a connection that is open keeps its certificate.
    let status = async |trusted: &Authority| {
        let pem = std::fs::read(trusted.file()).unwrap();
        let root = reqwest::Certificate::from_pem(&pem).unwrap();
        let client = reqwest::Client::builder().tls_certs_only([root]).build().unwrap();
        let answer = client.get(&url).bearer_auth(token("alice")).send().await;
        answer.ok().map(|answer| answer.status().as_u16())
    };
    assert_eq!((status(&old).await, status(&new).await), (Some(200), None));
    let trusting_old = Arc::new(tidings::tls::client_config(Some(&old.file())).unwrap());
    let plain = TcpStream::connect(world.here).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let encrypted = TlsConnector::from(trusting_old).connect(name, plain).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async("wss://localhost/v1/ws", encrypted).await.unwrap();
    ask(&mut socket, json!({"type": "hello", "token": token("alice")}), "welcome").await;
    new.write_to(folder.path());
    let deadline = Instant::now() + SOON;
    while status(&new).await != Some(200) {
        assert!(Instant::now() < deadline, "the new certificate is not shown");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(status(&old).await, None);
    // Who is there stays there.
    let client_id = uuid::Uuid::new_v4().to_string();
    let send = json!({"type": "send", "to": "bob", "client_id": client_id, "text": "still here"});
    assert_eq!(ask(&mut socket, send, "accepted").await["client_id"], client_id);
}
