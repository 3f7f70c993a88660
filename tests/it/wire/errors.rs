//! Error codes.

use serde_json::{Value, json};

use crate::support::client::{Client, http};
use crate::support::world::World;

async fn client(settings: &[(&str, &str)]) -> (World, Client) {
    let world = World::dev(settings).await;
    let (alice, _) = Client::login(world.here, "alice").await;
    (world, alice)
}

fn send(more: Value) -> Value {
    let mut frame = json!({"type": "send", "client_id": uuid::Uuid::new_v4(), "ref": "r"});
    for (key, value) in more.as_object().unwrap() {
        frame[key] = value.clone();
    }
    frame
}

#[tokio::test]
async fn bad_request_answers_what_a_frame_lacks_and_the_socket_stays_open() {
    let (_world, mut alice) = client(&[]).await;
    for frame in [
        send(json!({"text": "to nobody"})),
        send(json!({"to": "bob"})),
        send(json!({"to": "bob", "text": ""})),
        send(json!({"to": "bob", "text": "a\u{0}b"})),
        send(json!({"to": "alice", "text": "to myself"})),
        send(json!({"to": "bob", "conversation_id": uuid::Uuid::new_v4(), "text": "x"})),
    ] {
        alice.send(frame.clone()).await;
        let error = alice.error().await;
        assert_eq!((&error["code"], &error["ref"]), (&json!("bad_request"), &json!("r")), "{frame}");
        assert_eq!(error["client_id"], frame["client_id"]);
    }
    alice.say_to("bob", "still here").await;
}

#[tokio::test]
async fn unsupported_answers_an_unknown_frame_type() {
    let (_world, mut alice) = client(&[]).await;
    alice.send(json!({"type": "dance", "ref": "d"})).await;
    let error = alice.error().await;
    assert_eq!((&error["code"], &error["ref"]), (&json!("unsupported"), &json!("d")));
}

#[tokio::test]
async fn too_large_answers_text_and_data_over_their_limits() {
    let (_world, mut alice) = client(&[]).await;
    alice.send(send(json!({"to": "bob", "text": "x".repeat(8 * 1024 + 1)}))).await;
    assert_eq!(alice.error().await["code"], "too_large");
    alice.send(send(json!({"to": "bob", "data": "x".repeat(16 * 1024)}))).await;
    assert_eq!(alice.error().await["code"], "too_large");
    alice.send(send(json!({"to": "bob", "text": "x".repeat(8 * 1024)}))).await;
    alice.expect("accepted").await;
}

#[tokio::test]
async fn rate_limited_says_when_to_try_again() {
    let (_world, mut alice) =
        client(&[("gateway__messages_per_second", "1"), ("gateway__message_burst", "2")]).await;
    for n in 0..3 {
        alice.send(send(json!({"to": "bob", "text": format!("{n}")}))).await;
    }
    let error = alice.error().await;
    assert_eq!(error["code"], "rate_limited");
    assert!(error["retry_after_ms"].as_u64().is_some_and(|ms| (1..=1000).contains(&ms)), "{error}");
}

#[tokio::test]
async fn not_found_answers_for_what_is_not_there_and_for_what_is_not_yours_alike() {
    let (world, mut alice) = client(&[]).await;
    let body = json!({"kind": "group", "title": "Secret", "member_ids": []});
    let (_, group) = http(world.here, "carol", reqwest::Method::POST, "/v1/conversations", Some(body)).await;
    let mut answers = Vec::new();
    for id in [group["id"].clone(), json!(uuid::Uuid::new_v4())] {
        alice.send(send(json!({"conversation_id": id, "text": "x"}))).await;
        let mut error = alice.error().await;
        error["client_id"] = Value::Null;
        answers.push(error);
        for kind in ["history", "typing", "ack", "read"] {
            alice.send(json!({"type": kind, "conversation_id": id, "seq": 1})).await;
            assert_eq!(alice.error().await["code"], "not_found", "{kind}");
        }
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0]["code"], "not_found");
}

#[tokio::test]
async fn not_found_answers_for_a_user_who_is_not_to_be_made() {
    let world = World::dev(&[("auth__auto_provision", "false")]).await;
    let account = json!({"user_id": "dora", "password": "correct horse"}).to_string();
    let answer = reqwest::Client::new()
        .post(format!("http://{}/v1/accounts", world.here))
        .body(account)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 201);
    let (mut dora, _) = Client::login(world.here, "dora").await;
    dora.send(send(json!({"to": "nobody", "text": "x"}))).await;
    assert_eq!(dora.error().await["code"], "not_found");
}

#[tokio::test]
async fn conflict_answers_a_change_of_what_is_deleted() {
    let (_world, mut alice) = client(&[]).await;
    let id = alice.say_to("bob", "x").await["conversation_id"].clone();
    alice.message("x").await;
    let change = |kind: &str| json!({"type": kind, "conversation_id": id, "client_id": uuid::Uuid::new_v4(), "target_seq": 1, "text": "y"});
    alice.send(change("delete")).await;
    alice.find(|frame| frame["kind"] == "delete", "delete").await;
    alice.send(change("edit")).await;
    assert_eq!(alice.error().await["code"], "conflict");
}

#[tokio::test]
async fn unauthenticated_answers_a_fresh_token_that_is_no_good_and_the_socket_stays() {
    let (_world, mut alice) = client(&[]).await;
    for token in ["rubbish".to_owned(), crate::support::client::token("bob")] {
        alice.send(json!({"type": "auth", "token": token})).await;
        assert_eq!(alice.error().await["code"], "unauthenticated");
    }
    alice.send(json!({"type": "auth", "token": crate::support::client::token("alice")})).await;
    alice.expect("welcome").await;
}

#[tokio::test]
async fn forbidden_answers_what_one_may_see_and_not_do() {
    let (world, mut alice) = client(&[]).await;
    let body = json!({"kind": "channel", "title": "News", "member_ids": ["alice"]});
    let (_, channel) =
        http(world.here, "carol", reqwest::Method::POST, "/v1/conversations", Some(body)).await;
    let (mut carol, _) = Client::login(world.here, "carol").await;
    carol.say_in(channel["id"].as_str().unwrap(), "news").await;
    alice.message("news").await;
    let change = |kind: &str| json!({"type": kind, "conversation_id": channel["id"], "client_id": uuid::Uuid::new_v4(), "target_seq": 1, "text": "y"});
    for frame in
        [send(json!({"conversation_id": channel["id"], "text": "x"})), change("edit"), change("delete")]
    {
        alice.send(frame.clone()).await;
        let error = alice.error().await;
        assert_eq!(
            (&error["code"], &error["client_id"]),
            (&json!("forbidden"), &frame["client_id"]),
            "{frame}"
        );
    }
}

#[tokio::test]
async fn unavailable_answers_more_than_can_wait_and_says_when_to_try_again() {
    let (_world, mut alice) =
        client(&[("ingress__queue_messages", "1"), ("ingress__batch_messages", "1")]).await;
    for n in 0..200 {
        alice.send(send(json!({"to": "bob", "text": format!("{n}")}))).await;
    }
    let (mut accepted, mut refused) = (0, 0);
    while accepted + refused < 200 {
        let answer = alice.find(|f| f["type"] == "accepted" || f["type"] == "error", "an answer").await;
        if answer["type"] == "accepted" {
            accepted += 1;
        } else {
            assert_eq!(answer["code"], "unavailable");
            assert!(answer["retry_after_ms"].as_u64().is_some_and(|ms| ms > 0), "{answer}");
            refused += 1;
        }
    }
    assert!(accepted > 0 && refused > 0, "{accepted} and {refused}");
}

#[tokio::test]
async fn internal_answers_a_message_that_the_store_can_never_take() {
    let world = World::roles(&[]).await;
    let url = world.postgres.as_deref().unwrap();
    let (database, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let refuse = "ALTER TABLE messages ADD CONSTRAINT no_poison CHECK (text <> 'poison')";
    database.batch_execute(refuse).await.unwrap();
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let (mut bob, _) = Client::login(world.there, "bob").await;
    alice.say_to("bob", "before").await;
    let poison = send(json!({"to": "bob", "text": "poison"}));
    alice.send(poison.clone()).await;
    alice.find(|f| f["type"] == "accepted" && f["client_id"] == poison["client_id"], "accepted").await;
    let error = alice.error().await;
    assert_eq!((&error["code"], &error["client_id"]), (&json!("internal"), &poison["client_id"]), "{error}");
    alice.say_to("bob", "after").await;
    assert_eq!(
        (bob.message("before").await["seq"].clone(), bob.message("after").await["seq"].clone()),
        (json!(1), json!(2))
    );
}
