//! Backup and restore, as the runbook says it.

use serde_json::{Value, json};

use super::programs::run;
use crate::support::client::Client;
use crate::support::stack::Stack;
use crate::support::until;
use crate::support::world::World;

#[tokio::test]
async fn after_a_restore_clients_resume_and_what_waited_in_rabbitmq_is_stored_once() {
    let stack = Stack::shared().await;
    let mut world = World::roles(&[]).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let (mut bob, _) = Client::login(world.there, "bob").await;
    let id = alice.say_to("bob", "1").await["conversation_id"].as_str().unwrap().to_owned();
    for n in 2..=20 {
        alice.say_in(&id, &n.to_string()).await;
    }
    bob.message("20").await;

    // The backup is made while everything runs; then the workers fall behind.
    let dump = tempfile::tempdir().unwrap();
    let file = dump.path().join("tidings.dump").to_str().unwrap().to_owned();
    let old = world.setting("postgres__url").to_owned();
    run(&["pg_dump", "--format=custom", "--file", &file, &old]).await;
    for worker in &mut world.workers {
        assert!(worker.stop().await.success());
    }
    for n in 21..=25 {
        alice.say_in(&id, &n.to_string()).await;
    }
    drop((alice, bob));
    for server in &mut world.servers {
        assert!(server.stop().await.success());
    }

    // The database is gone. Everything is as after a crash, except for RabbitMQ, which is left alone.
    let name = old.rsplit_once('/').unwrap().1.to_owned();
    let new = stack.postgres.database().await;
    run(&["dropdb", "--maintenance-db", stack.postgres.url(), &name]).await;
    run(&["pg_restore", "--exit-on-error", "--no-owner", "--dbname", &new, &file]).await;
    world.set("postgres__url", &new);
    let migrated = world.command(&["migrate"]).await;
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    for worker in &mut world.workers {
        worker.restart();
        worker.ready().await;
    }
    let worker = &world.workers[0];
    until("nothing waits in RabbitMQ", async || {
        worker.metric("tidings_queue_messages{queue=\"inbound\"").await == 0.0
            && worker.metric("tidings_consumed_messages_total").await
                + world.workers[1].metric("tidings_consumed_messages_total").await
                >= 5.0
    })
    .await;
    for server in &mut world.servers {
        server.restart();
        server.ready().await;
    }

    let (mut bob, sync) = Client::login_with(world.there, "bob", json!({"cursors": {&id: 20}})).await;
    let missed = sync["conversations"][0]["messages"].as_array().unwrap();
    let texts: Vec<&str> = missed.iter().map(|message| message["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["21", "22", "23", "24", "25"]);
    let (mut alice, _) = Client::login(world.here, "alice").await;
    alice.say_in(&id, "26").await;
    assert_eq!(bob.message("26").await["seq"], 26);
    bob.send(json!({"type": "history", "conversation_id": id, "limit": 200})).await;
    let history = bob.expect("history").await;
    let seen: Vec<&Value> =
        history["messages"].as_array().unwrap().iter().map(|message| &message["seq"]).collect();
    assert_eq!(seen, (1..=26).map(Value::from).collect::<Vec<_>>().iter().collect::<Vec<_>>());
}
