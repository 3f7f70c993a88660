//! A service is away, and comes back.

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::stack::{Stack, Wanted};
use crate::support::world::World;

async fn world(stack: &Stack) -> World {
    // Clients here read nothing while a service starts, which takes a minute on a busy machine: they are not to be taken for dead.
    let settings = [("gateway__heartbeat", "300s")];
    World::roles_on(stack.postgres(), stack.rabbitmq(), stack.redis(), &settings).await
}

#[tokio::test]
async fn while_postgres_is_away_sends_are_accepted_and_delivered_when_it_is_back() {
    let stack = Stack::private(&Wanted::ALL).await;
    let world = world(&stack).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let (mut bob, _) = Client::login(world.there, "bob").await;
    let id = alice.say_to("bob", "before").await["conversation_id"].as_str().unwrap().to_owned();
    bob.message("before").await;
    stack.postgres().kill();
    for n in 0..20 {
        alice.say_in(&id, &format!("during {n}")).await;
    }
    bob.send(json!({"type": "history", "conversation_id": id})).await;
    assert_eq!(bob.error().await["code"], "unavailable");
    stack.postgres().start().await;
    for n in 0..20_i64 {
        assert_eq!(bob.message(&format!("during {n}")).await["seq"], n + 2);
    }
}

#[tokio::test]
async fn while_rabbitmq_is_away_sends_are_unavailable_and_reading_goes_on() {
    let stack = Stack::private(&Wanted::ALL).await;
    let world = world(&stack).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let (mut bob, _) = Client::login(world.there, "bob").await;
    let id = alice.say_to("bob", "before").await["conversation_id"].as_str().unwrap().to_owned();
    bob.message("before").await;
    stack.rabbitmq().kill();
    let send = |n: i32| json!({"type": "send", "conversation_id": id, "client_id": uuid::Uuid::new_v4(), "text": format!("during {n}")});
    alice.send(send(0)).await;
    let error = alice.error().await;
    assert_eq!(error["code"], "unavailable");
    assert!(error["retry_after_ms"].as_u64().is_some_and(|ms| ms > 0), "{error}");
    bob.send(json!({"type": "history", "conversation_id": id})).await;
    assert_eq!(bob.expect("history").await["messages"][0]["text"], "before");
    stack.rabbitmq().start().await;
    let mut tries = 0;
    loop {
        alice.send(send(1)).await;
        let answer = alice.find(|f| f["type"] == "accepted" || f["type"] == "error", "an answer").await;
        if answer["type"] == "accepted" {
            break;
        }
        tries += 1;
        assert!(tries < 100, "{answer}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    bob.message("during 1").await;
}

#[tokio::test]
async fn while_redis_is_away_sends_are_stored_and_clients_resync_when_it_is_back() {
    let stack = Stack::private(&Wanted::ALL).await;
    let world = world(&stack).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let (mut bob, _) = Client::login(world.there, "bob").await;
    let id = alice.say_to("bob", "before").await["conversation_id"].as_str().unwrap().to_owned();
    bob.message("before").await;
    stack.redis().kill();
    alice.say_in(&id, "during").await;
    stack.redis().start().await;
    bob.expect("resync").await;
    bob.send(json!({"type": "sync", "cursors": {&id: 1}})).await;
    gets(&mut bob, &id, 1, "during").await;
    alice.expect("resync").await;
    alice.say_in(&id, "after").await;
    gets(&mut bob, &id, 2, "after").await;
}

/// Waits for a text that is accepted, as a client does that syncs from its cursor whenever it is told to: a `resync` (each
/// process that lost Redis tells one, when it finds it again) may come before the text is stored.
async fn gets(client: &mut Client, id: &str, cursor: u64, text: &str) {
    let told = |f: &Value| {
        f["type"] == "resync" || f["type"] == "sync" || (f["type"] == "message" && f["text"] == text)
    };
    loop {
        let frame = client.find(told, text).await;
        let mut synced = frame["conversations"].as_array().into_iter().flatten();
        if frame["type"] == "resync" {
            client.send(json!({"type": "sync", "cursors": {id: cursor}})).await;
        } else if frame["type"] == "message"
            || synced.any(|found| found["conversation"]["id"] == id && found["messages"][0]["text"] == text)
        {
            return;
        }
    }
}

#[tokio::test]
async fn a_route_that_redis_refused_is_registered_later_and_its_user_told_to_resync() {
    let stack = Stack::private(&Wanted::ALL).await;
    let world = world(&stack).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    stack.redis().refuse_hset(true).await;
    let (mut bob, _) = Client::login(world.there, "bob").await;
    alice.say_to("bob", "before the route").await;
    stack.redis().refuse_hset(false).await;
    bob.expect("resync").await;
    alice.say_to("bob", "by the route").await;
    bob.message("by the route").await;
}

#[tokio::test]
async fn a_broker_alarm_makes_sends_unavailable_until_it_is_over() {
    let stack = Stack::private(&Wanted::ALL).await;
    let world = world(&stack).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let id = alice.say_to("bob", "before").await["conversation_id"].as_str().unwrap().to_owned();
    stack.rabbitmq().raise_alarm().await;
    let mut accepted = 0;
    loop {
        let client_id = uuid::Uuid::new_v4();
        alice.send(json!({"type": "send", "conversation_id": id, "client_id": client_id, "text": "x"})).await;
        let answer = alice.find(|f| f["type"] == "accepted" || f["type"] == "error", "an answer").await;
        if answer["type"] == "error" {
            assert_eq!(answer["code"], "unavailable");
            break;
        }
        accepted += 1;
        assert!(accepted < 1000, "the alarm is not noticed");
    }
    stack.rabbitmq().clear_alarm().await;
    for _ in 0..100 {
        let client_id = uuid::Uuid::new_v4();
        alice
            .send(json!({"type": "send", "conversation_id": id, "client_id": client_id, "text": "over"}))
            .await;
        let answer = alice.find(|f| f["type"] == "accepted" || f["type"] == "error", "an answer").await;
        if answer["type"] == "accepted" {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("sends are not accepted after the alarm");
}

#[tokio::test]
async fn who_watches_presence_goes_on_to_hear_of_it_after_redis_was_away() {
    let stack = Stack::private(&Wanted::ALL).await;
    let world = world(&stack).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    alice.say_to("bob", "before").await;
    alice.message("before").await;
    alice.send(json!({"type": "presence", "user_ids": ["bob"]})).await;
    assert_eq!(alice.expect("presence").await["status"], "offline");
    stack.redis().kill();
    stack.redis().start().await;
    alice.expect("resync").await;
    let (_bob, _) = Client::login(world.there, "bob").await;
    alice.find(|f| f["type"] == "presence" && f["status"] == "online", "online").await;
}
