//! The runbook that changes the number of partitions.

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::stack::{Stack, Wanted};
use crate::support::until;
use crate::support::world::World;

/// To so many people alice writes, so that every partition gets something.
const PEERS: usize = 24;

async fn write_to_all(world: &World, text: &str) {
    let (mut alice, _) = Client::login(world.here, "alice").await;
    for peer in 0..PEERS {
        alice.say_to(&format!("peer{peer}"), text).await;
    }
}

/// Step by step as docs/operations.md has it.
async fn change(world: &mut World, partitions: &str) {
    for gateway in &mut world.servers {
        assert!(gateway.stop().await.success());
    }
    let workers = &world.workers;
    until("inbound is empty", async || {
        let mut waiting = 0.0;
        for worker in workers {
            waiting += worker.metric("tidings_queue_messages{queue=\"inbound\"").await;
            waiting += worker.metric("tidings_oldest_message_age_seconds{queue=\"inbound\"").await;
        }
        waiting == 0.0
    })
    .await;
    world.set("queue__partitions", partitions);
    for worker in &mut world.workers {
        worker.replace().await;
    }
    for gateway in &mut world.servers {
        gateway.restart();
        gateway.ready().await;
    }
}

#[tokio::test]
async fn more_and_fewer_partitions_lose_nothing_and_keep_the_order() {
    let stack = Stack::private(&Wanted::ALL).await;
    let few = [("queue__partitions", "2")];
    let mut world = World::roles_on(stack.postgres(), stack.rabbitmq(), stack.redis(), &few).await;
    let prefix = world.setting("rabbitmq__prefix").to_owned();
    write_to_all(&world, "1").await;
    change(&mut world, "5").await;
    write_to_all(&world, "2").await;
    write_to_all(&world, "3").await;
    change(&mut world, "1").await;
    write_to_all(&world, "4").await;
    for peer in 0..PEERS {
        let (mut peer, sync) = Client::login(world.there, &format!("peer{peer}")).await;
        let id = &sync["conversations"][0]["conversation"]["id"];
        // The last one may still be on its way.
        if sync["conversations"][0]["conversation"]["last_seq"] != 4 {
            peer.message("4").await;
        }
        peer.send(json!({"type": "history", "conversation_id": id, "limit": 10})).await;
        let history = peer.expect("history").await;
        let got: Vec<(&Value, &Value)> =
            history["messages"].as_array().unwrap().iter().map(|one| (&one["seq"], &one["text"])).collect();
        assert_eq!(json!(got), json!([[1, "1"], [2, "2"], [3, "3"], [4, "4"]]));
    }

    // What is left of the surplus queues is empty and can be deleted.
    let queues =
        stack.rabbitmq().control(&["-q", "list_queues", "--no-table-headers", "name", "messages"]).await;
    let mut surplus = 0;
    for line in queues.lines() {
        let mut fields = line.split_whitespace();
        let (Some(name), Some(messages)) = (fields.next(), fields.next()) else { continue };
        let Some(rest) = name.strip_prefix(&format!("{prefix}.inbound.")) else { continue };
        if rest.parse::<u16>().is_ok_and(|number| number >= 1) {
            assert_eq!(messages, "0", "{name}");
            stack.rabbitmq().control(&["-q", "delete_queue", "--if-empty", name]).await;
            surplus += 1;
        }
    }
    assert_eq!(surplus, 4, "{queues}");
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let (mut peer, _) = Client::login(world.there, "peer0").await;
    alice.say_to("peer0", "5").await;
    peer.message("5").await;
}
