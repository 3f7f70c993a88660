//! Who has received, read, is typing, is there.

use reqwest::Method;
use serde_json::json;

use crate::support::client::{Client, http};
use crate::support::world::World;

crate::on_both_worlds!(
    acknowledging_and_reading_give_receipts,
    sending_reads_what_came_before,
    typing_reaches_the_other_and_not_oneself,
    presence_is_told_now_and_when_it_changes,
    a_crowd_of_more_than_a_hundred_sends_no_receipts_and_no_typing,
);

async fn acknowledging_and_reading_give_receipts(world: &World) {
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let (mut bob, _) = Client::login(world.there, "bob").await;
    let id = alice.say_to("bob", "read me").await["conversation_id"].clone();
    bob.message("read me").await;
    bob.send(json!({"type": "ack", "conversation_id": id, "seq": 1})).await;
    let delivered = alice.find(|f| f["type"] == "receipt" && f["delivered_seq"] == 1, "delivered").await;
    assert_eq!((&delivered["user_id"], &delivered["read_seq"]), (&json!("bob"), &json!(null)));
    // Past the end is clamped to it.
    bob.send(json!({"type": "read", "conversation_id": id, "seq": 1000})).await;
    alice.find(|f| f["type"] == "receipt" && f["read_seq"] == 1 && f["user_id"] == "bob", "read").await;
    bob.find(|f| f["type"] == "receipt" && f["read_seq"] == 1 && f["user_id"] == "bob", "own receipt").await;
    let (_, sync) = Client::login(world.there, "bob").await;
    assert_eq!(sync["conversations"][0]["conversation"]["unread"], 0);
}

async fn sending_reads_what_came_before(world: &World) {
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let (mut bob, _) = Client::login(world.there, "bob").await;
    alice.say_to("bob", "1").await;
    alice.say_to("bob", "2").await;
    bob.message("2").await;
    bob.say_to("alice", "3").await;
    bob.message("3").await;
    let (_, sync) = Client::login(world.there, "bob").await;
    let conversation = &sync["conversations"][0]["conversation"];
    assert_eq!((&conversation["unread"], &conversation["read_seq"]), (&json!(0), &json!(3)));
    let (_, sync) = Client::login(world.there, "alice").await;
    assert_eq!(sync["conversations"][0]["conversation"]["unread"], 1);
}

async fn typing_reaches_the_other_and_not_oneself(world: &World) {
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let (mut bob, _) = Client::login(world.there, "bob").await;
    let id = alice.say_to("bob", "1").await["conversation_id"].clone();
    bob.message("1").await;
    alice.send(json!({"type": "typing", "conversation_id": id})).await;
    assert_eq!(bob.expect("typing").await["user_id"], "alice");
    alice.expect_none("typing").await;
}

async fn presence_is_told_now_and_when_it_changes(world: &World) {
    let (mut alice, _) = Client::login(world.here, "alice").await;
    alice.say_to("bob", "are you there?").await;
    alice.message("are you there?").await;
    alice.send(json!({"type": "presence", "user_ids": ["bob", "stranger"]})).await;
    let statuses = [alice.expect("presence").await, alice.expect("presence").await];
    assert!(statuses.iter().all(|presence| presence["status"] == "offline"), "{statuses:?}");
    let (bob, _) = Client::login(world.there, "bob").await;
    let online = alice.find(|f| f["type"] == "presence" && f["status"] == "online", "online").await;
    assert_eq!(online["user_id"], "bob");
    drop(bob);
    let offline = alice.find(|f| f["type"] == "presence" && f["status"] == "offline", "offline").await;
    assert!(offline["last_seen_at"].is_string(), "{offline}");
}

async fn a_crowd_of_more_than_a_hundred_sends_no_receipts_and_no_typing(world: &World) {
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let (mut bob, _) = Client::login(world.there, "bob").await;
    let mut ids = Vec::new();
    for others in [99, 98] {
        let mut members: Vec<String> = (0..others).map(|n| format!("user{n}")).collect();
        members.push("bob".to_owned());
        let body = json!({"kind": "group", "title": "Crowd", "member_ids": members});
        let (_, group) = http(world.here, "alice", Method::POST, "/v1/conversations", Some(body)).await;
        ids.push((group["id"].clone(), group["member_count"].as_i64().unwrap()));
    }
    assert_eq!((ids[0].1, ids[1].1), (101, 100));
    for (id, _) in &ids {
        alice.say_in(id.as_str().unwrap(), "hello").await;
        bob.find(|f| f["type"] == "message" && f["conversation_id"] == *id, "hello").await;
        bob.send(json!({"type": "typing", "conversation_id": id})).await;
        bob.send(json!({"type": "read", "conversation_id": id, "seq": 1})).await;
    }
    let of_bob = |kind: &'static str| move |f: &serde_json::Value| f["type"] == kind && f["user_id"] == "bob";
    assert_eq!(alice.find(of_bob("typing"), "typing").await["conversation_id"], ids[1].0);
    assert_eq!(alice.find(of_bob("receipt"), "a receipt").await["conversation_id"], ids[1].0);
    alice.expect_none("typing").await;
    alice.expect_none("receipt").await;
    // Read it is all the same.
    let path = format!("/v1/conversations/{}", ids[0].0.as_str().unwrap());
    assert_eq!(http(world.there, "bob", Method::GET, &path, None).await.1["unread"], 0);
}
