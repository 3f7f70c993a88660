//! Every limit of the configuration that a client can meet, beside those that have a code of their own.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::support::client::{Client, SOON, Upgrade, http, token};
use crate::support::server::SERVER_KEY;
use crate::support::world::World;

async fn client(settings: &[(&str, &str)]) -> (World, Client) {
    let world = World::dev(settings).await;
    let (alice, _) = Client::login(world.here, "alice").await;
    (world, alice)
}

fn send(more: Value) -> Value {
    let mut frame = json!({"type": "send", "client_id": uuid::Uuid::new_v4()});
    for (key, value) in more.as_object().unwrap() {
        frame[key] = value.clone();
    }
    frame
}

fn users(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("user{n}")).collect()
}

#[tokio::test]
async fn as_many_mentions_and_user_ids_as_allowed_are_taken_and_one_more_is_not() {
    let (_world, mut alice) = client(&[]).await;
    alice.send(send(json!({"to": "bob", "text": "x", "mentions": users(101)}))).await;
    assert_eq!(alice.error().await["code"], "bad_request");
    alice.send(send(json!({"to": "bob", "text": "x", "mentions": users(100)}))).await;
    alice.expect("accepted").await;
    alice.send(json!({"type": "presence", "user_ids": users(101)})).await;
    assert_eq!(alice.error().await["code"], "bad_request");
    alice.send(json!({"type": "presence", "user_ids": users(100)})).await;
    for _ in 0..100 {
        alice.expect("presence").await;
    }
}

#[tokio::test]
async fn a_ref_and_ids_have_at_most_64_characters() {
    let (world, mut alice) = client(&[]).await;
    let longest = "é".repeat(64);
    alice.send(json!({"type": "ping", "ref": longest})).await;
    assert_eq!(alice.expect("pong").await["ref"], json!(longest));
    alice.send(json!({"type": "ping", "ref": "é".repeat(65)})).await;
    assert_eq!(alice.error().await["code"], "bad_request");
    alice.send(send(json!({"to": longest, "text": "x"}))).await;
    alice.expect("accepted").await;
    for none in ["é".repeat(65), "me".to_owned()] {
        alice.send(send(json!({"to": none, "text": "x"}))).await;
        assert_eq!(alice.error().await["code"], "bad_request");
        let url = format!("http://{}/v1/users/{none}", world.here);
        let put = reqwest::Client::new().put(url).bearer_auth(SERVER_KEY).send().await.unwrap();
        assert_eq!(put.status(), 400);
    }
}

#[tokio::test]
async fn a_page_of_history_has_at_most_200_messages_and_50_when_nobody_says() {
    let (_world, mut alice) = client(&[]).await;
    let id = alice.say_to("bob", "0").await["conversation_id"].clone();
    for n in 1..=210 {
        alice.send(send(json!({"to": "bob", "text": format!("{n}")}))).await;
    }
    alice.message("210").await;
    let mut page = async |more: Value| {
        let mut frame = json!({"type": "history", "conversation_id": id});
        for (key, value) in more.as_object().unwrap() {
            frame[key] = value.clone();
        }
        alice.send(frame).await;
        alice.find(|f| f["type"] == "history" || f["type"] == "error", "an answer").await
    };
    assert_eq!(page(json!({"limit": 201})).await["code"], "bad_request");
    assert_eq!(page(json!({"limit": 0})).await["code"], "bad_request");
    assert_eq!(page(json!({"before": 5, "after": 2})).await["code"], "bad_request");
    let last = page(json!({})).await;
    let seqs = |page: &Value| -> Vec<i64> {
        page["messages"].as_array().unwrap().iter().map(|m| m["seq"].as_i64().unwrap()).collect()
    };
    assert_eq!((seqs(&last), &last["has_more"]), ((162..=211).collect(), &json!(true)));
    let first = page(json!({"after": 0, "limit": 200})).await;
    assert_eq!((seqs(&first), &first["has_more"]), ((1..=200).collect(), &json!(true)));
    let rest = page(json!({"after": 200, "limit": 200})).await;
    assert_eq!((seqs(&rest), &rest["has_more"]), ((201..=211).collect(), &json!(false)));
}

#[tokio::test]
async fn one_request_adds_at_most_a_thousand_members() {
    let (world, _alice) = client(&[]).await;
    let make = json!({"kind": "group", "title": "Big", "member_ids": users(1001)});
    let (status, problem) = http(world.here, "alice", Method::POST, "/v1/conversations", Some(make)).await;
    assert_eq!((status, &problem["code"]), (400, &json!("bad_request")), "{problem}");
    let make = json!({"kind": "group", "title": "Big", "member_ids": users(1000)});
    let (status, group) = http(world.here, "alice", Method::POST, "/v1/conversations", Some(make)).await;
    assert_eq!((status, &group["member_count"]), (201, &json!(1001)));
    assert_eq!((group["members"].as_array().unwrap().len(), &group["notify"]), (100, &json!("mentions")));
    let path = format!("/v1/conversations/{}/members", group["id"].as_str().unwrap());
    let add = json!({"user_ids": users(1001)});
    assert_eq!(http(world.here, "alice", Method::POST, &path, Some(add)).await.0, 400);
}

#[tokio::test]
async fn a_user_has_at_most_so_many_sockets() {
    let (world, _alice) = client(&[("gateway__sockets_per_user", "2")]).await;
    let (_second, _) = Client::login(world.here, "alice").await;
    let mut third = Client::open(world.here, Default::default()).await.unwrap();
    third.send(json!({"type": "hello", "token": token("alice")})).await;
    third.expect("reconnect").await;
    assert_eq!(third.closed().await, 1013);
    let (_bob, _) = Client::login(world.here, "bob").await;
}

#[tokio::test]
async fn a_user_s_sockets_and_requests_share_one_rate() {
    let settings = [
        ("gateway__messages_per_second", "1"),
        ("gateway__message_burst", "3"),
        ("gateway__user_messages_per_second", "1"),
    ];
    let (world, mut one) = client(&settings).await;
    let (mut other, _) = Client::login(world.here, "alice").await;
    one.say_to("bob", "1").await;
    other.say_to("bob", "2").await;
    let by_http = async |key: &str| {
        let body = json!({"to": "bob", "client_id": uuid::Uuid::new_v4(), "text": "by HTTP"}).to_string();
        let request = reqwest::Client::new().post(format!("http://{}/v1/messages", world.here)).body(body);
        let answer = request.bearer_auth(key).header("x-tidings-user", "alice").send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    assert_eq!(by_http(&token("alice")).await.0, 202);
    let (status, problem) = by_http(&token("alice")).await;
    assert_eq!((status, &problem["code"]), (429, &json!("rate_limited")));
    assert!(problem["retry_after_ms"].as_u64().is_some_and(|ms| ms > 0), "{problem}");
    one.send(send(json!({"to": "bob", "text": "one too many"}))).await;
    assert_eq!(one.error().await["code"], "rate_limited");
    // The application's backend is trusted, and others have their own rate.
    assert_eq!(by_http(SERVER_KEY).await.0, 202);
    let (mut bob, _) = Client::login(world.here, "bob").await;
    bob.say_to("alice", "mine").await;
}

#[tokio::test]
async fn fifty_messages_a_second_in_bursts_of_five_hundred_are_taken_by_default() {
    let (_world, mut alice) = client(&[]).await;
    for n in 0..700 {
        alice.send(send(json!({"to": "bob", "text": format!("{n}")}))).await;
    }
    let (mut accepted, mut refused) = (0, 0);
    while accepted + refused < 700 {
        let answer = alice.find(|f| f["type"] == "accepted" || f["type"] == "error", "an answer").await;
        if answer["type"] == "accepted" {
            accepted += 1;
        } else {
            assert_eq!(answer["code"], "rate_limited", "{answer}");
            refused += 1;
        }
    }
    assert!(accepted >= 500 && refused > 0, "{accepted} and {refused}");
}

/// Sends bytes and reads what comes until the end.
async fn raw(world: &World, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(world.here).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // Reset or closed: either way it is the end.
    let _ = tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await.expect("it ends in time");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_head_that_is_too_long_or_comes_too_slowly_is_given_up() {
    let world = World::dev(&[("server__header_timeout", "1s")]).await;
    assert_eq!(raw(&world, b"").await, "");
    let half = raw(&world, b"GET /v1/me HTTP/1.1\r\nhost: x\r\n").await;
    assert!(half.is_empty() || half.starts_with("HTTP/1.1 408"), "{half}");
    let long = format!("GET /v1/me HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "x".repeat(64 * 1024));
    let answer = raw(&world, long.as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert_eq!(http(world.here, "alice", Method::GET, "/v1/me", None).await.0, 200);
}

#[tokio::test]
async fn a_body_that_is_too_long_is_too_large_and_one_that_trickles_is_given_up() {
    let world = World::dev(&[("gateway__http_timeout", "1s"), ("ingress__max_wait", "500ms")]).await;
    let body = json!({"to": "bob", "client_id": uuid::Uuid::new_v4(), "text": "x".repeat(300 * 1024)});
    let (status, problem) = http(world.here, "alice", Method::POST, "/v1/messages", Some(body)).await;
    assert_eq!((status, &problem["code"]), (413, &json!("too_large")));
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{{",
        token("alice")
    );
    let answer = raw(&world, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("\"unavailable\""), "{answer}");
}

#[tokio::test]
async fn an_outbox_holds_so_many_bytes_and_a_long_sync_is_no_slow_reader() {
    let (world, mut alice) = client(&[("gateway__outbox_bytes", "256KiB")]).await;
    // Twenty frames of sync of 36 KB: nearly three times the outbox.
    let texts: Vec<String> = (0..6).map(|n| n.to_string().repeat(6000)).collect();
    for peer in users(20) {
        for text in &texts {
            alice.send(send(json!({"to": peer, "text": text}))).await;
        }
        // They come back, and who does not read them is a slow reader.
        for _ in &texts {
            alice.expect("message").await;
        }
    }
    let ids: Vec<String> = users(20)
        .iter()
        .map(|peer| {
            let (alice, peer) = (tidings::model::UserId::parse("alice"), tidings::model::UserId::parse(peer));
            tidings::model::ConversationId::direct(&alice.unwrap(), &peer.unwrap()).to_string()
        })
        .collect();
    let cursors: Value =
        ids.iter().map(|id| (id.clone(), json!(0))).collect::<serde_json::Map<_, _>>().into();
    let mut again = Client::open(world.here, Default::default()).await.unwrap();
    again.send(json!({"type": "hello", "token": token("alice"), "cursors": cursors})).await;
    let (mut frames, mut messages) = (0, 0);
    loop {
        let sync = again.expect("sync").await;
        frames += 1;
        for item in sync["conversations"].as_array().unwrap() {
            assert_eq!(item["limited"], false);
            messages += item["messages"].as_array().unwrap().len();
        }
        if sync["done"] == true {
            break;
        }
    }
    assert!(frames >= 20 && messages == 120, "{messages} messages in {frames} frames");
    again.raw(Message::text(r#"{"type":"ping"}"#)).await;
    again.expect("pong").await;
}

#[tokio::test]
async fn a_frame_of_the_server_has_at_most_256_kib_whatever_is_under_a_message() {
    let (world, mut alice) =
        client(&[("gateway__messages_per_second", "1000"), ("gateway__message_burst", "10000")]).await;
    let id = alice.say_to("bob", "react").await["conversation_id"].clone();
    alice.message("react").await;
    for n in 0..300 {
        let emoji = format!("{n}{}", "x".repeat(55));
        alice.send(json!({"type": "react", "conversation_id": id, "client_id": uuid::Uuid::new_v4(), "target_seq": 1, "emoji": emoji})).await;
    }
    alice.find(|f| f["kind"] == "reaction" && f["seq"] == 301, "the last reaction").await;
    alice.send(json!({"type": "history", "conversation_id": id, "after": 0, "limit": 1})).await;
    let history = alice.expect("history").await;
    let reactions = history["messages"][0]["reactions"].as_object().unwrap();
    assert_eq!(reactions.len(), 32);
    assert_eq!(reactions.values().next().unwrap(), &json!({"count": 1, "user_ids": ["alice"]}));
    drop(world);
}

#[tokio::test]
async fn a_slow_http_client_keeps_nobody_waiting() {
    let world = World::dev(&[("server__header_timeout", "2s")]).await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(world.here).await.unwrap();
        stream.write_all(b"GET /v1/me HTTP/1.1\r\n").await.unwrap();
        slow.push(stream);
    }
    let answered =
        tokio::time::timeout(Duration::from_secs(10), http(world.here, "alice", Method::GET, "/v1/me", None));
    assert_eq!(answered.await.unwrap().0, 200);
}

#[tokio::test]
async fn a_hello_with_more_than_500_cursors_is_a_bad_request_and_may_be_said_again() {
    let world = World::dev(&[]).await;
    let mut alice = Client::open(world.here, Upgrade::default()).await.unwrap();
    let hello = |count: usize| {
        let cursors: serde_json::Map<String, Value> =
            (0..count).map(|_| (uuid::Uuid::new_v4().to_string(), json!(3))).collect();
        json!({"type": "hello", "ref": "h", "token": token("alice"), "cursors": cursors})
    };
    alice.send(hello(501)).await;
    let error = alice.error().await;
    assert_eq!((&error["code"], &error["ref"]), (&json!("bad_request"), &json!("h")), "{error}");
    alice.send(hello(500)).await;
    alice.expect("welcome").await;
    // `sync` takes what `hello` does not.
    let mut more = hello(700);
    more["type"] = json!("sync");
    alice.send(more).await;
    for (sync, count) in [("the first sync", 500), ("the second", 700)] {
        let mut conversations = 0;
        loop {
            let frame = alice.find(|frame| frame["type"] == "sync" && frame["ref"] == "h", sync).await;
            conversations += frame["conversations"].as_array().unwrap().len();
            if frame["done"] == true {
                break;
            }
        }
        assert_eq!(conversations, count, "{sync}");
    }
}

#[tokio::test]
async fn ten_bad_hellos_are_too_many() {
    let world = World::dev(&[]).await;
    let mut alice = Client::open(world.here, Upgrade::default()).await.unwrap();
    for _ in 0..10 {
        alice.send(json!({"type": "hello", "token": 5})).await;
    }
    assert_eq!(alice.closed().await, 4400);
}
