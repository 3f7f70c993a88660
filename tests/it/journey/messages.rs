//! Messages from socket to socket.

use serde_json::json;

use crate::support::client::{Client, http};
use crate::support::world::World;

crate::on_both_worlds!(
    two_people_talk,
    the_sender_s_other_devices_get_the_message_too,
    a_message_sent_twice_appears_once,
    who_was_away_gets_what_is_missing_by_its_cursor,
    one_sender_s_messages_have_rising_seqs_in_order,
    history_is_read_forwards_and_backwards,
    a_backend_sends_for_a_user_by_http,
    messagepack_and_json_talk_to_each_other,
    edits_deletes_and_reactions_show_in_the_history,
);

async fn two_people_talk(world: &World) {
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let (mut bob, _) = Client::login(world.there, "bob").await;
    let accepted = alice.say_to("bob", "hello bob").await;
    let got = bob.message("hello bob").await;
    assert_eq!((&got["seq"], &got["sender_id"], &got["kind"]), (&json!(1), &json!("alice"), &json!("text")));
    assert_eq!(got["conversation_id"], accepted["conversation_id"]);
    let conversation = bob.expect("conversation").await;
    assert_eq!(conversation["conversation"]["kind"], "direct");
    bob.say_in(got["conversation_id"].as_str().unwrap(), "hello alice").await;
    let answer = alice.message("hello alice").await;
    assert_eq!((&answer["seq"], &answer["sender_id"]), (&json!(2), &json!("bob")));
}

async fn the_sender_s_other_devices_get_the_message_too(world: &World) {
    let (mut phone, _) = Client::login(world.here, "alice").await;
    let (mut laptop, _) = Client::login(world.there, "alice").await;
    phone.say_to("bob", "from the phone").await;
    laptop.message("from the phone").await;
    phone.message("from the phone").await;
}

async fn a_message_sent_twice_appears_once(world: &World) {
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let (mut bob, _) = Client::login(world.there, "bob").await;
    let send = json!({"type": "send", "to": "bob", "client_id": "0b7f9b1e-3a52-4f47-8a0a-0d6a6ef5f001", "text": "once"});
    alice.send(send.clone()).await;
    alice.expect("accepted").await;
    let first = bob.message("once").await;
    alice.send(send).await;
    alice.expect("accepted").await;
    alice.say_to("bob", "twice").await;
    assert_eq!(bob.message("twice").await["seq"], 2);
    let (_, list) = http(
        world.there,
        "bob",
        reqwest::Method::GET,
        &format!("/v1/conversations/{}/messages", first["conversation_id"].as_str().unwrap()),
        None,
    )
    .await;
    assert_eq!(list["messages"].as_array().unwrap().len(), 2, "{list}");
}

async fn who_was_away_gets_what_is_missing_by_its_cursor(world: &World) {
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let accepted = alice.say_to("bob", "1").await;
    let id = accepted["conversation_id"].as_str().unwrap().to_owned();
    for text in ["2", "3", "4"] {
        alice.say_in(&id, text).await;
        alice.message(text).await;
    }
    let (_bob, sync) = Client::login_with(world.there, "bob", json!({"cursors": {&id: 1}})).await;
    let item = &sync["conversations"][0];
    let texts: Vec<_> = item["messages"].as_array().unwrap().iter().map(|m| m["text"].clone()).collect();
    assert_eq!(texts, ["2", "3", "4"]);
    assert_eq!((&item["limited"], &sync["done"]), (&json!(false), &json!(true)));
    assert_eq!((&item["conversation"]["last_seq"], &item["conversation"]["unread"]), (&json!(4), &json!(4)));
    let (_bob, sync) = Client::login(world.there, "bob").await;
    assert_eq!(sync["conversations"][0]["messages"], json!([]));
}

async fn one_sender_s_messages_have_rising_seqs_in_order(world: &World) {
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let (mut bob, _) = Client::login(world.there, "bob").await;
    for n in 0..300 {
        let client_id = uuid::Uuid::new_v4();
        alice
            .send(json!({"type": "send", "to": "bob", "client_id": client_id, "text": format!("{n}")}))
            .await;
    }
    for n in 0..300_i64 {
        let got = bob.expect("message").await;
        assert_eq!(
            (got["text"].as_str().unwrap(), got["seq"].as_i64().unwrap()),
            (n.to_string().as_str(), n + 1)
        );
    }
}

async fn history_is_read_forwards_and_backwards(world: &World) {
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let id = alice.say_to("bob", "1").await["conversation_id"].as_str().unwrap().to_owned();
    for n in 2..=5 {
        alice.say_in(&id, &n.to_string()).await;
    }
    alice.message("5").await;
    alice.send(json!({"type": "history", "conversation_id": id, "limit": 2, "ref": "h"})).await;
    let last = alice.expect("history").await;
    assert_eq!((&last["messages"][0]["seq"], &last["messages"][1]["seq"]), (&json!(4), &json!(5)));
    assert_eq!((&last["has_more"], &last["first_seq"], &last["ref"]), (&json!(true), &json!(1), &json!("h")));
    alice.send(json!({"type": "history", "conversation_id": id, "after": 3})).await;
    let rest = alice.expect("history").await;
    assert_eq!((&rest["messages"][0]["seq"], &rest["has_more"]), (&json!(4), &json!(false)));
    alice.send(json!({"type": "history", "conversation_id": id, "before": 3})).await;
    let start = alice.expect("history").await;
    assert_eq!((start["messages"].as_array().unwrap().len(), &start["has_more"]), (2, &json!(false)));
}

async fn a_backend_sends_for_a_user_by_http(world: &World) {
    let (mut bob, _) = Client::login(world.there, "bob").await;
    let answer = reqwest::Client::new()
        .post(format!("http://{}/v1/messages", world.here))
        .bearer_auth(crate::support::server::SERVER_KEY)
        .header("x-tidings-user", "alice")
        .body(json!({"to": "bob", "client_id": uuid::Uuid::new_v4(), "text": "by http"}).to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 202);
    assert_eq!(bob.message("by http").await["sender_id"], "alice");
}

async fn messagepack_and_json_talk_to_each_other(world: &World) {
    use crate::support::client::{Upgrade, token};
    use tokio_tungstenite::tungstenite::Message;
    let upgrade = Upgrade { subprotocol: Some("tidings.v1.msgpack"), ..Upgrade::default() };
    let mut packed = Client::open(world.here, upgrade).await.unwrap();
    let pack = |frame: serde_json::Value| Message::binary(rmp_serde::to_vec_named(&frame).unwrap());
    packed.raw(pack(json!({"type": "hello", "token": token("alice")}))).await;
    packed.expect("sync").await;
    let (mut bob, _) = Client::login(world.there, "bob").await;
    let send = json!({"type": "send", "to": "bob", "client_id": uuid::Uuid::new_v4(), "text": "packed", "data": {"n": [1, 2.5, null]}});
    packed.raw(pack(send)).await;
    packed.expect("accepted").await;
    let got = bob.message("packed").await;
    assert_eq!(got["data"], json!({"n": [1, 2.5, null]}));
    bob.say_in(got["conversation_id"].as_str().unwrap(), "plain").await;
    packed.message("plain").await;
}

async fn edits_deletes_and_reactions_show_in_the_history(world: &World) {
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let (mut bob, _) = Client::login(world.there, "bob").await;
    let id = alice.say_to("bob", "tpyo").await["conversation_id"].as_str().unwrap().to_owned();
    alice.say_in(&id, "to be deleted").await;
    bob.message("to be deleted").await;
    let change = |kind: &str, target: i64, more: serde_json::Value| {
        let mut frame = json!({"type": kind, "conversation_id": id, "client_id": uuid::Uuid::new_v4(), "target_seq": target});
        for (key, value) in more.as_object().unwrap() {
            frame[key] = value.clone();
        }
        frame
    };
    alice.send(change("edit", 1, json!({"text": "typo"}))).await;
    alice.send(change("delete", 2, json!({}))).await;
    bob.send(change("react", 1, json!({"emoji": "👍"}))).await;
    for kind in ["edit", "delete", "reaction"] {
        alice.find(|frame| frame["type"] == "message" && frame["kind"] == kind, kind).await;
    }
    bob.send(json!({"type": "history", "conversation_id": id})).await;
    let history = bob.expect("history").await;
    let (edited, deleted) = (&history["messages"][0], &history["messages"][1]);
    assert_eq!(edited["text"], "typo");
    assert!(edited["edited_at"].is_string());
    assert_eq!(edited["reactions"]["👍"], json!({"count": 1, "user_ids": ["bob"]}));
    assert!(deleted["text"].is_null() && deleted["deleted_at"].is_string());
    assert_eq!(history["messages"].as_array().unwrap().len(), 5);
    bob.send(change("edit", 1, json!({"text": "mine now"}))).await;
    assert_eq!(bob.error().await["code"], "forbidden");
}
