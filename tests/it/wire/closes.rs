//! Close codes.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::support::client::{Client, Upgrade, token};
use crate::support::stack::{Stack, Wanted};
use crate::support::world::World;

async fn open(world: &World) -> Client {
    Client::open(world.here, Upgrade::default()).await.unwrap()
}

#[tokio::test]
async fn close_4408_comes_without_a_hello_in_time() {
    let world = World::dev(&[("gateway__hello_timeout", "1s")]).await;
    assert_eq!(open(&world).await.closed().await, 4408);
    let mut client = open(&world).await;
    client.send(json!({"type": "ping"})).await;
    assert_eq!(client.closed().await, 4408);
}

#[tokio::test]
async fn close_4400_comes_after_ten_bad_frames_in_a_minute() {
    let world = World::dev(&[]).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    for _ in 0..10 {
        alice.raw(Message::text("rubbish")).await;
    }
    for _ in 0..9 {
        assert_eq!(alice.error().await["code"], "bad_request");
    }
    assert_eq!(alice.closed().await, 4400);
}

#[tokio::test]
async fn close_1009_answers_a_frame_that_is_too_large_and_arrives() {
    let world = World::dev(&[]).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    alice.raw(Message::text("x".repeat(8 * 1024 * 1024))).await;
    assert_eq!(alice.closed().await, 1009);
}

#[tokio::test]
async fn close_1001_comes_when_a_client_gives_no_sign_of_life() {
    let world = World::dev(&[
        ("gateway__hello_timeout", "500ms"),
        ("gateway__heartbeat", "1s"),
        ("gateway__heartbeat_grace", "500ms"),
    ])
    .await;
    let (alice, _) = Client::login(world.here, "alice").await;
    // Not reading, it does not answer pings either.
    let deadline = tokio::time::Instant::now() + crate::support::client::SOON;
    while world.servers[0].metric("tidings_connections").await > 0.0 {
        assert!(tokio::time::Instant::now() < deadline, "the socket is still there");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let mut alice = alice;
    assert_eq!(alice.closed().await, 1001);
}

#[tokio::test]
async fn close_1013_answers_when_it_is_full_with_advice_before() {
    let world = World::dev(&[("server__max_connections", "1")]).await;
    let (_alice, _) = Client::login(world.here, "alice").await;
    let mut bob = open(&world).await;
    let advice = bob.expect("reconnect").await;
    assert!(advice["after_ms"].as_u64().is_some_and(|ms| ms > 0), "{advice}");
    assert_eq!(bob.closed().await, 1013);
}

#[tokio::test]
async fn a_ping_frame_is_answered_and_a_second_hello_is_not_taken() {
    let world = World::dev(&[]).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    alice.send(json!({"type": "ping", "ref": "p"})).await;
    assert_eq!(alice.expect("pong").await["ref"], "p");
    alice.send(json!({"type": "hello", "token": token("alice")})).await;
    assert_eq!(alice.error().await["code"], "bad_request");
}

#[tokio::test]
async fn close_4508_comes_to_a_slow_reader_who_resumes_without_loss() {
    let world = World::dev(&[("gateway__outbox_bytes", "512KiB")]).await;
    let mut deaf = Client::open(world.here, Upgrade::default()).await.unwrap();
    deaf.send(json!({"type": "hello", "token": token("bob")})).await;
    deaf.expect("sync").await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let text = "x".repeat(8000);
    let id = alice.say_to("bob", &text).await["conversation_id"].as_str().unwrap().to_owned();
    let mut sent = 1;
    // What the kernel holds for a socket that nobody reads is several MB at most.
    while world.servers[0].metric("tidings_connections").await > 1.0 && sent < 5000 {
        for _ in 0..50 {
            let client_id = uuid::Uuid::new_v4();
            let frame = json!({"type": "send", "conversation_id": id, "client_id": client_id, "text": text});
            alice.send(frame).await;
        }
        for _ in 0..50 {
            let answer = alice.find(|f| f["type"] == "accepted" || f["type"] == "error", "an answer").await;
            if answer["type"] == "accepted" {
                sent += 1;
            } else {
                assert_eq!(answer["code"], "rate_limited");
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            }
        }
    }
    assert_eq!(deaf.closed().await, 4508);
    alice.find(|f| f["type"] == "message" && f["seq"] == sent, "the last one, stored").await;
    let (mut bob, sync) = Client::login_with(world.here, "bob", json!({"cursors": {&id: 0}})).await;
    let conversation = &sync["conversations"][0];
    assert_eq!(conversation["conversation"]["last_seq"], sent);
    let mut after = conversation["messages"].as_array().unwrap().len() as i64;
    while after < sent {
        bob.send(json!({"type": "history", "conversation_id": id, "after": after, "limit": 200})).await;
        let page = bob.expect("history").await;
        for message in page["messages"].as_array().unwrap() {
            after += 1;
            assert_eq!(message["seq"], after);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn close_4508_is_not_held_up_by_a_socket_that_takes_nothing_more() {
    let world = World::dev(&[("gateway__outbox_bytes", "512KiB")]).await;
    let mut deaf = Client::open(world.here, Upgrade::default()).await.unwrap();
    deaf.send(json!({"type": "hello", "token": token("bob")})).await;
    deaf.expect("sync").await;
    // Several at once, so that many frames are taken from the outbox together.
    let senders = (0..4).map(|number| {
        let here = world.here;
        tokio::spawn(async move {
            let (mut sender, _) = Client::login(here, &format!("sender-{number}")).await;
            let data = "x".repeat(14_000);
            for _ in 0..450 {
                let client_id = uuid::Uuid::new_v4();
                sender.send(json!({"type": "send", "to": "bob", "client_id": client_id, "data": data})).await;
                sender.find(|f| f["type"] == "accepted" || f["type"] == "error", "an answer").await;
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    let deadline = tokio::time::Instant::now() + crate::support::client::SOON;
    while world.servers[0].metric("tidings_connections_closed_total{reason=\"slow_consumer\"").await < 1.0 {
        assert!(tokio::time::Instant::now() < deadline, "it is still held");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn close_1012_comes_with_advice_before_when_the_process_restarts() {
    let mut world = World::dev(&[]).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let (_, code) = tokio::join!(world.servers[0].stop(), async {
        let advice = alice.expect("reconnect").await;
        assert!(advice["after_ms"].is_u64() && advice["reason"].is_string(), "{advice}");
        alice.closed().await
    });
    assert_eq!(code, 1012);
}

#[tokio::test]
async fn close_1013_answers_with_advice_before_when_the_database_is_away() {
    let stack = Stack::private(&Wanted::ALL).await;
    // Alice reads nothing while Postgres starts.
    let settings = [("gateway__heartbeat", "300s")];
    let world = World::roles_on(stack.postgres(), stack.rabbitmq(), stack.redis(), &settings).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    stack.postgres().kill();
    let mut bob = open(&world).await;
    bob.send(json!({"type": "hello", "token": token("bob")})).await;
    let advice = bob.expect("reconnect").await;
    assert!(advice["after_ms"].as_u64().is_some_and(|ms| ms > 0), "{advice}");
    assert_eq!(bob.closed().await, 1013);
    // Who is in stays in.
    alice.say_to("bob", "accepted all the same").await;
    stack.postgres().start().await;
    let (mut bob, sync) = Client::login(world.there, "bob").await;
    // Stored before he came, or after.
    if sync["conversations"].as_array().unwrap().is_empty() {
        let fits = |frame: &serde_json::Value| frame["type"] == "message" || frame["type"] == "conversation";
        bob.find(fits, "what was sent meanwhile").await;
    }
}

#[tokio::test]
async fn close_1013_comes_past_the_queue_of_handshakes_of_one_address() {
    let world = World::dev(&[("server__handshake_rate_per_address", "1")]).await;
    let mut sockets = Vec::new();
    for n in 0..6 {
        let mut client = open(&world).await;
        client.send(json!({"type": "hello", "token": token(&format!("user{n}"))})).await;
        sockets.push(client);
    }
    let (mut welcome, mut sent_away) = (0, 0);
    for client in &mut sockets {
        let first = client.find(|_| true, "an answer").await;
        match first["type"].as_str() {
            Some("welcome") => welcome += 1,
            Some("reconnect") => {
                sent_away += 1;
                assert_eq!(client.closed().await, 1013);
            }
            other => panic!("{other:?}"),
        }
    }
    // One at once, two in the queue; the first handshakes may have taken as long as one more turn.
    assert!((3..=4).contains(&welcome) && welcome + sent_away == 6, "{welcome} and {sent_away}");
}

#[tokio::test]
async fn a_trusted_proxy_s_clients_have_each_their_own_rate_of_handshakes() {
    let settings = [("server__handshake_rate_per_address", "1"), ("server__trusted_proxies", "127.0.0.0/8")];
    let world = World::dev(&settings).await;
    for n in 0..8 {
        let address = format!("203.0.113.{n}");
        let upgrade = Upgrade { forwarded_for: Some(&address), ..Upgrade::default() };
        let mut client = Client::open(world.here, upgrade).await.unwrap();
        client.send(json!({"type": "hello", "token": token(&format!("user{n}"))})).await;
        client.expect("welcome").await;
    }
}

#[tokio::test]
async fn close_4429_answers_a_flood_of_frames_and_others_are_served() {
    let world = World::dev(&[
        ("gateway__frames_per_second", "10"),
        ("gateway__messages_per_second", "2"),
        ("gateway__message_burst", "2"),
    ])
    .await;
    for flood in [Message::text(r#"{"type":"ping"}"#), Message::Ping(vec![0; 100].into())] {
        let (mut alice, _) = Client::login(world.here, "alice").await;
        for _ in 0..150 {
            if alice.try_raw(flood.clone()).await.is_err() {
                break;
            }
        }
        assert_eq!(alice.closed().await, 4429);
        let (mut bob, _) = Client::login(world.here, "bob").await;
        bob.say_to("carol", "served").await;
    }
}
