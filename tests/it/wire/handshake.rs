//! The upgrade.

use serde_json::json;
use tokio_tungstenite::tungstenite::Error;

use crate::support::client::{Client, Upgrade, token};
use crate::support::world::World;

async fn status(world: &World, upgrade: Upgrade<'_>) -> u16 {
    match Client::open(world.here, upgrade).await {
        Ok(_) => 101,
        Err(Error::Http(answer)) => answer.status().as_u16(),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_token_in_the_header_needs_none_in_hello() {
    let world = World::dev(&[]).await;
    let token = token("alice");
    let upgrade = Upgrade { bearer: Some(&token), ..Upgrade::default() };
    let mut client = Client::open(world.here, upgrade).await.unwrap();
    client.send(json!({"type": "hello"})).await;
    assert_eq!(client.expect("welcome").await["user_id"], "alice");
    let bad = Upgrade { bearer: Some("rubbish"), ..Upgrade::default() };
    assert_eq!(status(&world, bad).await, 401);
}

#[tokio::test]
async fn only_our_subprotocols_are_spoken() {
    let world = World::dev(&[]).await;
    for (offer, expected) in [("tidings.v1.json", 101), ("tidings.v1.msgpack", 101), ("graphql-ws", 400)] {
        let upgrade = Upgrade { subprotocol: Some(offer), ..Upgrade::default() };
        assert_eq!(status(&world, upgrade).await, expected, "{offer}");
    }
}

#[tokio::test]
async fn origins_are_checked() {
    let world = World::dev(&[("server__allowed_origins", "https://chat.example.com")]).await;
    for (origin, expected) in [
        ("https://chat.example.com", 101),
        ("http://localhost:3000", 101),
        ("http://127.0.0.1:9", 101),
        ("https://evil.example.com", 403),
        ("https://chat.example.com.evil.example", 403),
        ("null", 403),
    ] {
        let upgrade = Upgrade { origin: Some(origin), ..Upgrade::default() };
        assert_eq!(status(&world, upgrade).await, expected, "{origin}");
    }
}

#[tokio::test]
async fn a_token_in_the_url_is_refused_unless_allowed() {
    let query = format!("?token={}", token("alice"));
    let upgrade = || Upgrade { query: &query, ..Upgrade::default() };
    let world = World::dev(&[]).await;
    assert_eq!(status(&world, upgrade()).await, 401);
    let world = World::dev(&[("server__token_in_url", "true")]).await;
    assert_eq!(status(&world, upgrade()).await, 101);
}
