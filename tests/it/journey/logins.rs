//! Many who log in at the same time, to the same conversations.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::{Client, http};
use crate::support::world::World;

crate::on_both_worlds!(who_logs_in_in_a_crowd_is_shown_what_the_others_were_told_before,);

/// Who logs in again and again,
const CROWD: usize = 12;
/// and synchronises so often each time.
const SYNCS: usize = 20;
/// Meanwhile so many texts are written and then read, so often.
const TEXTS: i64 = 5;
const ROUNDS: i64 = 5;

/// What everybody has seen before a login begins.
#[derive(Default)]
struct Seen {
    /// The reader's receipt.
    read: AtomicI64,
    over: AtomicBool,
}

async fn who_logs_in_in_a_crowd_is_shown_what_the_others_were_told_before(world: &World) {
    let crowd: Vec<String> = (0..CROWD).map(|number| format!("user {number}")).collect();
    let members: Vec<&str> = crowd.iter().map(String::as_str).chain(["reader"]).collect();
    let make = json!({"kind": "group", "title": "Crowd", "member_ids": members});
    let (status, group) = http(world.here, "writer", Method::POST, "/v1/conversations", Some(make)).await;
    assert_eq!(status, 201, "{group}");
    let id = group["id"].as_str().unwrap();
    let seen = Seen::default();
    let logins = crowd.iter().map(|user| come_and_go(world, user, id, &seen));
    let (syncs, ()) = tokio::join!(futures_util::future::join_all(logins), converse(world, id, &seen));
    println!("{syncs:?} syncs");
}

/// One writes, the other reads, and what the writer hears of it is known to all.
async fn converse(world: &World, id: &str, seen: &Seen) {
    let (mut writer, _) = Client::login(world.here, "writer").await;
    let (mut reader, _) = Client::login(world.here, "reader").await;
    for round in 0..ROUNDS {
        for seq in round * TEXTS + 1..=(round + 1) * TEXTS {
            let text = format!("text {seq}");
            writer.say_in(id, &text).await;
            assert_eq!(reader.message(&text).await["seq"], seq);
        }
        // Nothing is written meanwhile, so that nothing but the receipts says that something changed.
        for seq in round * TEXTS + 1..=(round + 1) * TEXTS {
            reader.send(json!({"type": "read", "conversation_id": id, "seq": seq})).await;
            let read = |frame: &Value| {
                frame["type"] == "receipt" && frame["user_id"] == "reader" && frame["read_seq"] == seq
            };
            writer.find(read, "the receipt").await;
            seen.read.store(seq, Ordering::SeqCst);
        }
    }
    seen.over.store(true, Ordering::SeqCst);
}

/// Answers how often they were synchronised.
async fn come_and_go(world: &World, user: &str, id: &str, seen: &Seen) -> usize {
    let mut syncs = 0;
    while !seen.over.load(Ordering::SeqCst) || syncs == 0 {
        let before = seen.read.load(Ordering::SeqCst);
        let (mut client, sync) = Client::login_with(world.here, user, json!({"cursors": {id: 0}})).await;
        is_current(&sync, before);
        // Again and again, so that somebody always is and what they share stays.
        for _ in 0..SYNCS {
            let before = seen.read.load(Ordering::SeqCst);
            client.send(json!({"type": "sync", "cursors": {id: 0}})).await;
            is_current(&client.expect("sync").await, before);
        }
        syncs += 1 + SYNCS;
    }
    syncs
}

/// It has what the writer was told before it was asked for.
fn is_current(sync: &Value, before: i64) {
    let item = &sync["conversations"][0];
    let conversation = &item["conversation"];
    let members = conversation["members"].as_array().unwrap();
    assert_eq!(members.len(), CROWD + 2);
    let read_by = |name: &str| {
        let member = members.iter().find(|member| member["user_id"] == name).unwrap();
        member["read_seq"].as_i64().unwrap()
    };
    assert!(read_by("reader") >= before, "{} after {before}", read_by("reader"));
    // Who writes has read it: a text that the sync has no event brings afterwards.
    let last_seq = conversation["last_seq"].as_i64().unwrap();
    assert!(last_seq >= before && read_by("writer") >= last_seq, "{conversation}");
    let seqs: Vec<_> =
        item["messages"].as_array().unwrap().iter().map(|message| message["seq"].as_i64()).collect();
    assert_eq!(seqs, (1..=last_seq).map(Some).collect::<Vec<_>>());
}
