//! What logs must not hold.

use serde_json::json;

use crate::support::client::{Client, Upgrade, http, token};
use crate::support::world::World;

#[tokio::test]
async fn neither_tokens_nor_texts_are_logged() {
    let mut world = World::dev(&[("log__level", "trace"), ("server__token_in_url", "true")]).await;
    let token = token("alice");
    let query = format!("?token={token}");
    let upgrade = Upgrade { query: &query, ..Upgrade::default() };
    let mut alice = Client::open(world.here, upgrade).await.unwrap();
    alice.send(json!({"type": "hello", "token": token})).await;
    alice.expect("sync").await;
    let secret = "what nobody else should read";
    alice.say_to("bob", secret).await;
    alice.message(secret).await;
    // A frame that cannot be read may be worth a line; not with what is in it.
    alice.send(json!({"type": "send", "text": secret, "client_id": 5})).await;
    alice.error().await;
    let body = json!({"to": "bob", "client_id": uuid::Uuid::new_v4(), "text": secret});
    http(world.here, "alice", reqwest::Method::POST, "/v1/messages", Some(body)).await;
    alice.message(secret).await;
    let account = json!({"user_id": "dora", "password": "correct horse"});
    http(world.here, "alice", reqwest::Method::POST, "/v1/accounts", Some(account)).await;
    world.servers[0].stop().await;
    let log = world.servers[0].output();
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "it logs too little to tell: {log}");
    let signature = token.rsplit('.').next().unwrap();
    for hidden in [signature, secret, "correct horse", crate::support::server::SECRET] {
        let line = log.lines().find(|line| line.contains(hidden));
        assert!(line.is_none(), "{line:?}");
    }
}
