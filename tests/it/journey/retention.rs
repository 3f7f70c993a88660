//! Old messages go, and what is told of the rest stays right.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::client::{Client, SOON, http};
use crate::support::world::World;

const SETTINGS: [(&str, &str); 3] =
    [("retention__messages", "5s"), ("retention__interval", "200ms"), ("retention__batch", "2")];

#[tokio::test]
async fn old_messages_go_on_dev() {
    old_messages_go(&World::dev(&SETTINGS).await).await;
}

#[tokio::test]
async fn old_messages_go_on_the_roles() {
    old_messages_go(&World::roles(&SETTINGS).await).await;
}

async fn old_messages_go(world: &World) {
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let mut id = String::new();
    for n in 1..=7 {
        let accepted = alice.say_to("bob", &format!("old {n}")).await;
        id = accepted["conversation_id"].as_str().unwrap().to_owned();
    }
    let path = format!("/v1/conversations/{id}");
    let seen = async || http(world.there, "bob", Method::GET, &path, None).await.1;
    let begins = async |first: i64| {
        let deadline = Instant::now() + SOON;
        while seen().await["first_seq"] != json!(first) {
            assert!(Instant::now() < deadline, "history begins at {}", seen().await["first_seq"]);
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    alice.message("old 7").await;
    assert_eq!(seen().await["unread"], 7);
    begins(8).await;
    assert_eq!((&seen().await["unread"], &seen().await["last_seq"]), (&json!(0), &json!(7)));

    alice.say_in(&id, "new").await;
    assert_eq!(alice.message("new").await["seq"], 8);
    let told = seen().await;
    assert_eq!((&told["unread"], &told["first_seq"], &told["last_seq"]), (&json!(1), &json!(8), &json!(8)));
    // A client that has seen the beginning and missed the rest is told where it goes on.
    let (mut bob, sync) = Client::login_with(world.there, "bob", json!({"cursors": {&id: 2}})).await;
    let item = &sync["conversations"][0];
    let seqs: Vec<&Value> = item["messages"].as_array().unwrap().iter().map(|m| &m["seq"]).collect();
    assert_eq!((seqs, &item["limited"]), (vec![&json!(8)], &json!(false)));
    bob.send(json!({"type": "history", "conversation_id": id})).await;
    let history = bob.expect("history").await;
    assert_eq!((&history["first_seq"], &history["has_more"]), (&json!(8), &json!(false)));
    assert_eq!(history["messages"].as_array().unwrap().len(), 1);
    bob.send(json!({"type": "read", "conversation_id": id, "seq": 8})).await;
    bob.find(|f| f["type"] == "receipt" && f["read_seq"] == 8, "the receipt").await;
    assert_eq!(seen().await["unread"], 0);
}
