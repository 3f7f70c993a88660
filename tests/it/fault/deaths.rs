//! A process of ours dies, stalls or is told to stop.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::support::client::{Client, SOON, http};
use crate::support::world::World;

#[tokio::test]
async fn a_dead_gateway_s_clients_resume_at_another_by_their_cursors() {
    let mut world = World::roles(&[]).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let (mut bob, _) = Client::login(world.there, "bob").await;
    let id = alice.say_to("bob", "1").await["conversation_id"].as_str().unwrap().to_owned();
    bob.message("1").await;
    world.servers[1].kill();
    alice.say_in(&id, "2").await;
    alice.message("2").await;
    let (mut bob, sync) = Client::login_with(world.here, "bob", json!({"cursors": {&id: 1}})).await;
    assert_eq!(sync["conversations"][0]["messages"][0]["text"], "2");
    alice.say_in(&id, "3").await;
    bob.message("3").await;
}

#[tokio::test]
async fn a_dead_worker_s_partitions_go_on_with_nothing_lost_and_nothing_twice() {
    let mut world = World::roles(&[("worker__lease_ttl", "3s"), ("worker__lease_interval", "1s")]).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let (mut bob, _) = Client::login(world.there, "bob").await;
    let id = alice.say_to("bob", "0").await["conversation_id"].as_str().unwrap().to_owned();
    for n in 1..=100 {
        alice.say_in(&id, &n.to_string()).await;
        if n == 50 {
            world.workers[0].kill();
        }
    }
    bob.message("100").await;
    bob.send(json!({"type": "history", "conversation_id": id, "limit": 200})).await;
    let history = bob.expect("history").await;
    let texts: Vec<_> = history["messages"].as_array().unwrap().iter().map(|m| m["text"].clone()).collect();
    assert_eq!(texts, (0..=100).map(|n| json!(n.to_string())).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_worker_that_slept_and_wakes_up_writes_nothing_twice_and_leaves_no_gap() {
    let world = World::roles(&[("worker__lease_ttl", "3s"), ("worker__lease_interval", "1s")]).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let (mut bob, _) = Client::login(world.there, "bob").await;
    let id = alice.say_to("bob", "0").await["conversation_id"].as_str().unwrap().to_owned();
    bob.message("0").await;
    for worker in &world.workers {
        worker.signal("STOP");
        for n in 0..10 {
            alice.say_in(&id, &format!("{} {n}", worker.pid())).await;
        }
        worker.signal("CONT");
    }
    for worker in &world.workers {
        for n in 0..10 {
            bob.message(&format!("{} {n}", worker.pid())).await;
        }
    }
    bob.send(json!({"type": "history", "conversation_id": id, "limit": 200})).await;
    let history = bob.expect("history").await;
    let seqs: Vec<_> =
        history["messages"].as_array().unwrap().iter().map(|m| m["seq"].as_i64().unwrap()).collect();
    assert_eq!(seqs, (1..=21).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_gateway_that_is_told_to_stop_sends_its_clients_away_and_ends() {
    let mut world = World::roles(&[]).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let (mut bob, _) = Client::login(world.there, "bob").await;
    let id = alice.say_to("bob", "1").await["conversation_id"].as_str().unwrap().to_owned();
    bob.message("1").await;
    let stopping = &mut world.servers[1];
    let (status, code) = tokio::join!(stopping.stop(), async {
        let advice = bob.expect("reconnect").await;
        assert!(advice["after_ms"].is_u64(), "{advice}");
        bob.closed().await
    });
    assert_eq!((status.code(), code), (Some(0), 1012));
    let (mut bob, _) = Client::login(world.here, "bob").await;
    alice.say_in(&id, "2").await;
    bob.message("2").await;
}

#[tokio::test]
async fn a_killed_dev_server_has_everything_it_accepted_when_it_comes_back() {
    let mut world = World::dev(&[]).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let id = alice.say_to("bob", "0").await["conversation_id"].as_str().unwrap().to_owned();
    for n in 1..50 {
        alice.say_in(&id, &n.to_string()).await;
    }
    world.servers[0].kill();
    world.servers[0].restart();
    world.servers[0].ready().await;
    let (mut bob, _) = Client::login(world.here, "bob").await;
    bob.send(json!({"type": "history", "conversation_id": id, "limit": 200})).await;
    assert_eq!(bob.expect("history").await["messages"].as_array().unwrap().len(), 50);
}

#[tokio::test]
async fn who_lost_the_right_to_write_before_it_was_stored_hears_so() {
    let world = World::roles(&[]).await;
    let make = json!({"kind": "group", "title": "Two", "member_ids": ["alice"]});
    let (_, group) = http(world.there, "bob", Method::POST, "/v1/conversations", Some(make)).await;
    let id = group["id"].as_str().unwrap().to_owned();
    let (mut alice, _) = Client::login(world.here, "alice").await;
    alice.say_in(&id, "before").await;
    alice.message("before").await;
    for worker in &world.workers {
        worker.signal("STOP");
    }
    // It is in the queue before what alice says, and her gateway cannot know of it yet.
    let (there, path) = (world.there, format!("/v1/conversations/{id}/members/alice"));
    let removing = tokio::spawn(async move { http(there, "bob", Method::DELETE, &path, None).await });
    let deadline = tokio::time::Instant::now() + SOON;
    while world.servers[1].metric("tidings_messages_accepted_total").await < 1.0 {
        assert!(tokio::time::Instant::now() < deadline, "the removal is never accepted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let accepted = alice.say_in(&id, "too late").await;
    for worker in &world.workers {
        worker.signal("CONT");
    }
    let refused = alice.error().await;
    assert_eq!(refused["client_id"], accepted["client_id"], "{refused}");
    assert_eq!(
        (&refused["code"], &refused["conversation_id"]),
        (&json!("not_found"), &json!(id)),
        "{refused}"
    );
    assert_eq!(removing.await.unwrap().0, 204);
    let (_, page) = http(there, "bob", Method::GET, &format!("/v1/conversations/{id}/messages"), None).await;
    let kinds: Vec<&str> =
        page["messages"].as_array().unwrap().iter().map(|m| m["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["text", "member_left"]);
}
