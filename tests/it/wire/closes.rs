//! Close codes.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::support::client::{Client, Upgrade, token, token_for};
use crate::support::world::World;

async fn open(world: &World) -> Client {
    Client::open(world.here, Upgrade::default()).await.unwrap()
}

#[tokio::test]
async fn close_4401_answers_a_token_that_is_no_good_in_hello() {
    let world = World::dev(&[]).await;
    for token in ["rubbish".to_owned(), token_for("alice", -60)] {
        let mut client = open(&world).await;
        client.send(json!({"type": "hello", "token": token})).await;
        assert_eq!(client.closed().await, 4401);
    }
    let mut client = open(&world).await;
    client.send(json!({"type": "hello"})).await;
    assert_eq!(client.closed().await, 4401);
}

#[tokio::test]
async fn close_4401_comes_when_the_token_expires() {
    let world = World::dev(&[]).await;
    let mut client = open(&world).await;
    client.send(json!({"type": "hello", "token": token_for("alice", 2)})).await;
    client.expect("sync").await;
    assert_eq!(client.closed().await, 4401);
}

#[tokio::test]
async fn close_4408_comes_without_a_hello_in_time() {
    let world = World::dev(&[("gateway__hello_timeout", "1s")]).await;
    assert_eq!(open(&world).await.closed().await, 4408);
    let mut client = open(&world).await;
    client.send(json!({"type": "ping"})).await;
    assert_eq!(client.closed().await, 4408);
}

#[tokio::test]
async fn close_4400_comes_after_ten_bad_frames_in_a_minute() {
    let world = World::dev(&[]).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    for _ in 0..10 {
        alice.raw(Message::text("rubbish")).await;
    }
    for _ in 0..9 {
        assert_eq!(alice.error().await["code"], "bad_request");
    }
    assert_eq!(alice.closed().await, 4400);
}

#[tokio::test]
async fn close_1009_answers_a_frame_that_is_too_large_and_arrives() {
    let world = World::dev(&[]).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    alice.raw(Message::text("x".repeat(8 * 1024 * 1024))).await;
    assert_eq!(alice.closed().await, 1009);
}

#[tokio::test]
async fn close_1001_comes_when_a_client_gives_no_sign_of_life() {
    let world = World::dev(&[
        ("gateway__hello_timeout", "500ms"),
        ("gateway__heartbeat", "1s"),
        ("gateway__heartbeat_grace", "500ms"),
    ])
    .await;
    let (alice, _) = Client::login(world.here, "alice").await;
    // Not reading, it does not answer pings either.
    let deadline = tokio::time::Instant::now() + crate::support::client::SOON;
    while world.servers[0].metric("tidings_connections").await > 0.0 {
        assert!(tokio::time::Instant::now() < deadline, "the socket is still there");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let mut alice = alice;
    assert_eq!(alice.closed().await, 1001);
}

#[tokio::test]
async fn close_1013_answers_when_it_is_full_with_advice_before() {
    let world = World::dev(&[("server__max_connections", "1")]).await;
    let (_alice, _) = Client::login(world.here, "alice").await;
    let mut bob = open(&world).await;
    let advice = bob.expect("reconnect").await;
    assert!(advice["after_ms"].as_u64().is_some_and(|ms| ms > 0), "{advice}");
    assert_eq!(bob.closed().await, 1013);
}

#[tokio::test]
async fn close_4403_comes_to_who_signed_out_elsewhere() {
    let world = World::dev(&[]).await;
    let http = reqwest::Client::new();
    let account = json!({"user_id": "dora", "password": "correct horse"}).to_string();
    let url = format!("http://{}", world.here);
    let signed_up = http.post(format!("{url}/v1/accounts")).body(account).send().await.unwrap();
    let token = signed_up.json::<serde_json::Value>().await.unwrap()["token"].as_str().unwrap().to_owned();
    let mut socket = open(&world).await;
    socket.send(json!({"type": "hello", "token": token})).await;
    socket.expect("sync").await;
    http.delete(format!("{url}/v1/sessions")).bearer_auth(&token).send().await.unwrap();
    assert_eq!(socket.closed().await, 4403);
    let mut again = open(&world).await;
    again.send(json!({"type": "hello", "token": token})).await;
    assert_eq!(again.closed().await, 4403);
}

#[tokio::test]
async fn a_ping_frame_is_answered_and_a_second_hello_is_not_taken() {
    let world = World::dev(&[]).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    alice.send(json!({"type": "ping", "ref": "p"})).await;
    assert_eq!(alice.expect("pong").await["ref"], "p");
    alice.send(json!({"type": "hello", "token": token("alice")})).await;
    assert_eq!(alice.error().await["code"], "bad_request");
}
