//! Groups and channels: made, joined, left.

use reqwest::Method;
use serde_json::json;

use crate::support::client::{Client, http};
use crate::support::world::World;

crate::on_both_worlds!(
    a_group_is_made_and_everyone_hears_every_message,
    who_joins_late_sees_what_comes_after_and_who_leaves_nothing_more,
    members_and_title_are_changed_by_those_who_may,
    a_direct_conversation_is_made_once,
    who_joins_hears_what_is_said_in_the_same_moment,
    a_member_s_other_devices_hear_of_a_new_preference,
    accounts_sign_up_in_and_out,
);

async fn a_group_is_made_and_everyone_hears_every_message(world: &World) {
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let (mut bob, _) = Client::login(world.there, "bob").await;
    let body = json!({"kind": "group", "title": "Team", "member_ids": ["bob", "carol"]});
    let (status, group) = http(world.here, "alice", Method::POST, "/v1/conversations", Some(body)).await;
    assert_eq!(status, 201, "{group}");
    assert_eq!(
        (&group["member_count"], &group["role"], &group["last_seq"]),
        (&json!(3), &json!("owner"), &json!(0))
    );
    let id = group["id"].as_str().unwrap();
    let heard = bob.expect("conversation").await;
    assert_eq!(
        (&heard["conversation"]["id"], &heard["conversation"]["role"]),
        (&json!(id), &json!("member"))
    );
    alice.say_in(id, "hello team").await;
    assert_eq!(bob.message("hello team").await["seq"], 1);
    let (mut carol, sync) = Client::login(world.there, "carol").await;
    assert_eq!(sync["conversations"][0]["conversation"]["unread"], 1);
    bob.say_in(id, "welcome carol").await;
    carol.message("welcome carol").await;
    alice.message("welcome carol").await;
}

async fn who_joins_late_sees_what_comes_after_and_who_leaves_nothing_more(world: &World) {
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let (mut bob, _) = Client::login(world.there, "bob").await;
    let body = json!({"kind": "group", "title": "Team", "member_ids": []});
    let (_, group) = http(world.here, "alice", Method::POST, "/v1/conversations", Some(body)).await;
    let id = group["id"].as_str().unwrap().to_owned();
    alice.say_in(&id, "before").await;
    bob.send(json!({"type": "history", "conversation_id": id})).await;
    assert_eq!(bob.error().await["code"], "not_found");

    let path = format!("/v1/conversations/{id}/members/bob");
    let (status, answer) = http(world.here, "alice", Method::PUT, &path, Some(json!({}))).await;
    assert_eq!(status, 200, "{answer}");
    let joined = bob.find(|frame| frame["kind"] == "member_joined", "member_joined").await;
    assert_eq!((&joined["seq"], &joined["user_ids"]), (&json!(2), &json!(["bob"])));
    bob.expect("conversation").await;
    alice.say_in(&id, "during").await;
    bob.message("during").await;
    bob.send(json!({"type": "history", "conversation_id": id})).await;
    let history = bob.expect("history").await;
    assert_eq!((&history["first_seq"], &history["messages"][0]["seq"]), (&json!(2), &json!(2)));

    let (status, _) = http(world.there, "bob", Method::DELETE, &path, None).await;
    assert_eq!(status, 204);
    bob.find(|frame| frame["kind"] == "member_left", "member_left").await;
    let removed = bob.find(|frame| frame["removed"] == true, "removed").await;
    assert_eq!(removed["conversation"]["id"], json!(id));
    alice.say_in(&id, "after").await;
    alice.message("after").await;
    bob.expect_none("message").await;
    bob.send(json!({"type": "send", "conversation_id": id, "client_id": uuid::Uuid::new_v4(), "text": "x"}))
        .await;
    assert_eq!(bob.error().await["code"], "not_found");
    let (_, sync) = Client::login_with(world.there, "bob", json!({"cursors": {&id: 2}})).await;
    assert_eq!(sync["conversations"][0]["removed"], true);
}

async fn members_and_title_are_changed_by_those_who_may(world: &World) {
    let body = json!({"kind": "channel", "title": "News", "member_ids": ["bob"]});
    let (_, channel) = http(world.here, "alice", Method::POST, "/v1/conversations", Some(body)).await;
    let path = format!("/v1/conversations/{}", channel["id"].as_str().unwrap());
    let (mut bob, _) = Client::login(world.there, "bob").await;
    let send = json!({"type": "send", "conversation_id": channel["id"], "client_id": uuid::Uuid::new_v4(), "text": "x"});
    bob.send(send.clone()).await;
    assert_eq!(bob.error().await["code"], "forbidden");
    let (status, _) = http(world.there, "bob", Method::PATCH, &path, Some(json!({"title": "Mine"}))).await;
    assert_eq!(status, 403);
    let (status, _) = http(
        world.here,
        "alice",
        Method::PUT,
        &format!("{path}/members/bob"),
        Some(json!({"role": "admin"})),
    )
    .await;
    assert_eq!(status, 200);
    let (status, changed) =
        http(world.there, "bob", Method::PATCH, &path, Some(json!({"title": "Ours"}))).await;
    assert_eq!((status, &changed["title"]), (200, &json!("Ours")), "{changed}");
    let entry = bob.find(|frame| frame["kind"] == "title_changed", "title_changed").await;
    assert_eq!(entry["text"], "Ours");
    bob.send(send).await;
    bob.expect("accepted").await;
}

async fn a_direct_conversation_is_made_once(world: &World) {
    let body = json!({"kind": "direct", "user_id": "bob"});
    let (status, one) = http(world.here, "alice", Method::POST, "/v1/conversations", Some(body)).await;
    assert_eq!(status, 201);
    let body = json!({"kind": "direct", "user_id": "alice"});
    let (status, other) = http(world.there, "bob", Method::POST, "/v1/conversations", Some(body)).await;
    assert_eq!((status, &one["id"]), (200, &other["id"]));
    let path = format!("/v1/conversations/{}/members/bob", one["id"].as_str().unwrap());
    let (status, problem) = http(world.here, "alice", Method::DELETE, &path, None).await;
    assert_eq!((status, &problem["code"]), (403, &json!("forbidden")));
}

async fn accounts_sign_up_in_and_out(world: &World) {
    let http = reqwest::Client::new();
    let post = async |path: &str, body: serde_json::Value| {
        let answer =
            http.post(format!("http://{}{path}", world.here)).body(body.to_string()).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<serde_json::Value>().await.unwrap())
    };
    let account = json!({"user_id": "dora", "password": "correct horse", "display_name": "Dora"});
    let (status, signed_up) = post("/v1/accounts", account.clone()).await;
    assert_eq!((status, &signed_up["user"]["display_name"]), (201, &json!("Dora")));
    assert_eq!(post("/v1/accounts", account).await.0, 409);
    let wrong = post("/v1/sessions", json!({"user_id": "dora", "password": "wrong horse"})).await;
    let unknown = post("/v1/sessions", json!({"user_id": "nobody", "password": "wrong horse"})).await;
    assert_eq!((wrong.0, &wrong.1["detail"]), (401, &unknown.1["detail"]));
    let (status, signed_in) =
        post("/v1/sessions", json!({"user_id": "dora", "password": "correct horse"})).await;
    assert_eq!(status, 200);
    let token = signed_in["token"].as_str().unwrap();
    let me = || http.get(format!("http://{}/v1/me", world.there)).bearer_auth(token).send();
    assert_eq!(me().await.unwrap().status(), 200);
    let mut socket = Client::open(world.there, crate::support::client::Upgrade::default()).await.unwrap();
    socket.send(json!({"type": "hello", "token": token})).await;
    socket.expect("sync").await;
    let out =
        http.delete(format!("http://{}/v1/sessions", world.here)).bearer_auth(token).send().await.unwrap();
    assert_eq!(out.status(), 204);
    assert_eq!(socket.closed().await, 4403);
    assert_ne!(me().await.unwrap().status(), 200);
}

async fn who_joins_hears_what_is_said_in_the_same_moment(world: &World) {
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let (mut bob, _) = Client::login(world.there, "bob").await;
    for round in 0..20 {
        let members = if round % 2 == 0 { json!([]) } else { json!(["bob"]) };
        let body = json!({"kind": "group", "title": "Team", "member_ids": members});
        let (_, group) = http(world.here, "alice", Method::POST, "/v1/conversations", Some(body)).await;
        let id = group["id"].as_str().unwrap().to_owned();
        let says = async {
            for n in 0..5 {
                alice.say_in(&id, &format!("{round} {n}")).await;
            }
        };
        let first = if round % 2 == 0 {
            let path = format!("/v1/conversations/{id}/members/bob");
            let (put, ()) =
                tokio::join!(http(world.here, "alice", Method::PUT, &path, Some(json!({}))), says);
            assert_eq!(put.0, 200);
            let joined = |frame: &serde_json::Value| {
                frame["kind"] == "member_joined" && frame["conversation_id"] == json!(id)
            };
            bob.find(joined, "the join").await["seq"].as_i64().unwrap() + 1
        } else {
            says.await;
            1
        };
        // Live, all of it: nothing else would tell a client that it missed the last one.
        for seq in first..=5 + i64::from(round % 2 == 0) {
            let next = |frame: &serde_json::Value| {
                frame["type"] == "message" && frame["conversation_id"] == json!(id) && frame["seq"] == seq
            };
            bob.find(next, &format!("{seq} of round {round}")).await;
        }
    }
}

async fn a_member_s_other_devices_hear_of_a_new_preference(world: &World) {
    let body = json!({"kind": "direct", "user_id": "bob"});
    let (_, direct) = http(world.here, "alice", Method::POST, "/v1/conversations", Some(body)).await;
    let body = json!({"kind": "group", "title": "Team", "member_ids": ["bob"]});
    let (_, group) = http(world.here, "alice", Method::POST, "/v1/conversations", Some(body)).await;
    let (mut phone, _) = Client::login(world.there, "bob").await;
    for conversation in [direct, group] {
        let path = format!("/v1/conversations/{}/members/me", conversation["id"].as_str().unwrap());
        let wish = json!({"notify": "none", "muted_until": "2099-01-01T00:00:00Z"});
        let (status, seen) = http(world.here, "bob", Method::PATCH, &path, Some(wish)).await;
        assert_eq!((status, &seen["notify"]), (200, &json!("none")), "{seen}");
        let told = phone.expect("conversation").await;
        assert_eq!(
            (&told["conversation"]["id"], &told["conversation"]["notify"]),
            (&conversation["id"], &json!("none"))
        );
        let (_, seen) =
            http(world.here, "bob", Method::PATCH, &path, Some(json!({"muted_until": null}))).await;
        assert_eq!((&seen["muted_until"], &seen["notify"]), (&json!(null), &json!("none")));
        phone.expect("conversation").await;
    }
}
