//! A process of ours dies, stalls or is told to stop.

use serde_json::json;

use crate::support::client::Client;
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
