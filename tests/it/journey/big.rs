//! Big things: many conversations, many members, a long log.

use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::{Client, Upgrade, http, token};
use crate::support::server::SERVER_KEY;
use crate::support::world::World;

crate::on_both_worlds!(
    a_user_with_two_thousand_conversations_gets_them_all_in_a_paged_sync,
    a_group_of_fifteen_thousand_hears_a_message_and_a_thousand_are_added_by_one_entry,
);

/// Generous: the machine that runs all tests is busy. A quiet one takes a tenth of it.
const SECONDS: Duration = Duration::from_secs(10);

async fn a_user_with_two_thousand_conversations_gets_them_all_in_a_paged_sync(world: &World) {
    let backend = reqwest::Client::new();
    let made = stream::iter(0..2000).map(|n| {
        let request = backend.post(format!("http://{}/v1/conversations", world.here));
        let request = request.bearer_auth(SERVER_KEY).header("x-tidings-user", "busy");
        let body = json!({"kind": "direct", "user_id": format!("peer {n}")}).to_string();
        async move { request.body(body).send().await.unwrap().status().as_u16() }
    });
    let statuses: Vec<u16> = made.buffer_unordered(16).collect().await;
    assert!(statuses.iter().all(|status| *status == 201));

    let began = Instant::now();
    let mut client = Client::open(world.there, Upgrade::default()).await.unwrap();
    client.send(json!({"type": "hello", "token": token("busy")})).await;
    client.expect("welcome").await;
    let (mut frames, mut ids) = (0, std::collections::HashSet::new());
    loop {
        let sync = client.expect("sync").await;
        frames += 1;
        // Short: every socket keeps a buffer as long as its longest frame.
        assert!(sync.to_string().len() <= 17 * 1024);
        for item in sync["conversations"].as_array().unwrap() {
            ids.insert(item["conversation"]["id"].as_str().unwrap().to_owned());
        }
        if sync["done"] == true {
            break;
        }
    }
    let took = began.elapsed();
    println!("2,000 conversations in {frames} frames, {took:?}");
    assert!(frames > 1 && ids.len() == 2000, "{} in {frames}", ids.len());
    assert!(took < SECONDS, "{took:?}");
    client.say_to("peer 7", "hello").await;
    client.message("hello").await;
}

async fn a_group_of_fifteen_thousand_hears_a_message_and_a_thousand_are_added_by_one_entry(world: &World) {
    let names = |thousand: usize| -> Vec<String> {
        (thousand * 1000..(thousand + 1) * 1000).map(|n| format!("user {n}")).collect()
    };
    let make = json!({"kind": "group", "title": "Everybody", "member_ids": names(0)});
    let (status, group) = http(world.here, "owner", Method::POST, "/v1/conversations", Some(make)).await;
    assert_eq!(status, 201, "{group}");
    let id = group["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/conversations/{id}/members");
    let (mut owner, _) = Client::login(world.here, "owner").await;
    let (mut early, _) = Client::login(world.there, "user 17").await;
    let (mut late, _) = Client::login(world.there, "user 14999").await;
    for thousand in 1..15 {
        let began = Instant::now();
        let add = json!({"user_ids": names(thousand)});
        let (status, group) = http(world.here, "owner", Method::POST, &path, Some(add)).await;
        assert_eq!((status, &group["member_count"]), (200, &json!((thousand + 1) * 1000 + 1)), "{group}");
        assert_eq!(group["last_seq"], json!(thousand));
        assert!(began.elapsed() < SECONDS, "{:?}", began.elapsed());
    }
    let joined = late.find(|frame| frame["kind"] == "member_joined", "the join").await;
    assert_eq!((&joined["seq"], joined["user_ids"].as_array().unwrap().len()), (&json!(14), 1000));
    late.expect("conversation").await;
    owner.say_in(&id, "hello everybody").await;
    for client in [&mut owner, &mut early, &mut late] {
        assert_eq!(client.message("hello everybody").await["seq"], 15);
    }
    let (_, page) = http(world.there, "user 14999", Method::GET, &format!("{path}?limit=1000"), None).await;
    assert_eq!(page["members"].as_array().unwrap().len(), 1000);
    let (_, seen) =
        http(world.there, "user 14999", Method::GET, &format!("/v1/conversations/{id}"), None).await;
    assert_eq!(
        (&seen["first_seq"], &seen["unread"], &seen["notify"]),
        (&json!(14), &json!(1), &json!("mentions"))
    );
}

/// A log that was written long ago, in one statement.
const A_MILLION: &str = "
    INSERT INTO messages (conversation_id, seq, id, client_id, created_at, texts, kind, sender_id, text)
    SELECT $1::text::uuid, n, gen_random_uuid(), gen_random_uuid(), 1700000000000 + n, n, 0,
           CASE WHEN n % 2 = 0 THEN 'alice' ELSE 'bob' END, 'text ' || n
    FROM generate_series(1, 1000000) AS n";
const ITS_END: &str = "
    UPDATE conversations SET last_seq = 1000000, text_count = 1000000, oldest_at = 1700000000001
    WHERE id = $1::text::uuid";

#[tokio::test]
async fn a_conversation_with_a_million_entries_is_read_and_written_as_any_other() {
    let world = World::roles(&[]).await;
    let make = json!({"kind": "group", "title": "Long", "member_ids": ["bob"]});
    let (_, group) = http(world.here, "alice", Method::POST, "/v1/conversations", Some(make)).await;
    let id = group["id"].as_str().unwrap().to_owned();
    let url = world.postgres.as_deref().unwrap();
    let (database, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    database.execute(A_MILLION, &[&id]).await.unwrap();
    database.execute(ITS_END, &[&id]).await.unwrap();
    database.batch_execute("ANALYZE messages").await.unwrap();

    let began = Instant::now();
    let (mut alice, sync) = Client::login_with(world.here, "alice", json!({"cursors": {&id: 999_950}})).await;
    let item = &sync["conversations"][0];
    assert_eq!((&item["conversation"]["last_seq"], &item["limited"]), (&json!(1_000_000), &json!(false)));
    assert_eq!(item["messages"].as_array().unwrap().len(), 50);
    let (_bob, sync) = Client::login_with(world.there, "bob", json!({"cursors": {&id: 3}})).await;
    let item = &sync["conversations"][0];
    assert_eq!((&item["limited"], &item["messages"][99]["seq"]), (&json!(true), &json!(103)));
    for (range, first) in [
        (json!({}), 999_951),
        (json!({"before": 500_000}), 499_950),
        (json!({"after": 123_456}), 123_457),
        (json!({"after": 0}), 1),
    ] {
        let mut frame = json!({"type": "history", "conversation_id": id});
        for (key, value) in range.as_object().unwrap() {
            frame[key] = value.clone();
        }
        alice.send(frame).await;
        let page = alice.expect("history").await;
        let messages: &Vec<Value> = page["messages"].as_array().unwrap();
        assert_eq!((messages.len(), &messages[0]["seq"]), (50, &json!(first)), "{range}");
    }
    alice.say_in(&id, "one more").await;
    assert_eq!(alice.message("one more").await["seq"], 1_000_001);
    let change = json!({"type": "edit", "conversation_id": id, "client_id": uuid::Uuid::new_v4(), "target_seq": 2, "text": "changed"});
    alice.send(change).await;
    alice.find(|frame| frame["kind"] == "edit", "the edit").await;
    println!("read and written in {:?}", began.elapsed());
    assert!(began.elapsed() < SECONDS, "{:?}", began.elapsed());
}
