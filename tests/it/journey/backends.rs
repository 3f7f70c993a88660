//! What an application's backend and its users do beside talking.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::{Client, http};
use crate::support::server::SERVER_KEY;
use crate::support::until;
use crate::support::world::World;

crate::on_both_worlds!(
    a_backend_provisions_revokes_and_deactivates_users,
    a_blocked_user_may_not_write_and_may_again_afterwards,
    devices_are_registered_without_showing_their_token,
    presence_is_seen_by_contacts_only,
    a_backend_acts_for_users_whom_nobody_knows_yet,
    a_query_without_a_value_is_one_that_was_not_asked,
    other_origins_may_call_when_they_are_allowed,
);

async fn backend(world: &World, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let mut request = reqwest::Client::new()
        .request(method, format!("http://{}{path}", world.here))
        .bearer_auth(SERVER_KEY);
    if let Some(body) = body {
        request = request.body(body.to_string());
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or(Value::Null))
}

async fn a_backend_provisions_revokes_and_deactivates_users(world: &World) {
    let (status, user) =
        backend(world, Method::PUT, "/v1/users/eve", Some(json!({"display_name": "Eve"}))).await;
    assert_eq!((status, &user["display_name"]), (200, &json!("Eve")));
    let (status, _) = http(world.here, "alice", Method::GET, "/v1/users/eve", None).await;
    assert_eq!(status, 403);
    let (_, list) = http(world.there, "alice", Method::GET, "/v1/users?ids=eve,nobody", None).await;
    assert_eq!(list["users"].as_array().unwrap().len(), 1, "{list}");

    let (mut eve, _) = Client::login(world.there, "eve").await;
    assert_eq!(backend(world, Method::POST, "/v1/users/eve/revoke", None).await.0, 204);
    assert_eq!(eve.closed().await, 4403);

    let (mut dan, _) = Client::login(world.there, "dan").await;
    assert_eq!(backend(world, Method::DELETE, "/v1/users/dan", None).await.0, 204);
    assert_eq!(dan.closed().await, 4403);
    let (status, _) = http(world.here, "dan", Method::GET, "/v1/me", None).await;
    assert_eq!(status, 401);
    assert_eq!(backend(world, Method::DELETE, "/v1/users/nobody", None).await.0, 404);
}

async fn a_blocked_user_may_not_write_and_may_again_afterwards(world: &World) {
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let (mut bob, _) = Client::login(world.there, "bob").await;
    alice.say_to("bob", "hello").await;
    bob.message("hello").await;
    assert_eq!(http(world.there, "bob", Method::PUT, "/v1/blocks/alice", None).await.0, 204);
    let send = || json!({"type": "send", "to": "bob", "client_id": uuid::Uuid::new_v4(), "text": "again"});
    alice.send(send()).await;
    assert_eq!(alice.error().await["code"], "forbidden");
    assert_eq!(http(world.there, "bob", Method::GET, "/v1/blocks/alice", None).await.0, 200);
    assert_eq!(http(world.there, "bob", Method::DELETE, "/v1/blocks/alice", None).await.0, 204);
    assert_eq!(http(world.there, "bob", Method::GET, "/v1/blocks/alice", None).await.0, 404);
    alice.send(send()).await;
    bob.message("again").await;
}

async fn devices_are_registered_without_showing_their_token(world: &World) {
    let device = json!({"platform": "apns", "token": "abcdef", "app_id": "com.example.chat", "environment": "sandbox"});
    assert_eq!(http(world.here, "alice", Method::GET, "/v1/me", None).await.0, 200);
    let (status, put) =
        http(world.here, "alice", Method::PUT, "/v1/devices/phone", Some(device.clone())).await;
    assert_eq!((status, &put["device_id"]), (200, &json!("phone")), "{put}");
    let (_, list) = http(world.there, "alice", Method::GET, "/v1/devices", None).await;
    assert_eq!(list["devices"][0]["app_id"], "com.example.chat");
    assert!(!list.to_string().contains("abcdef"), "{list}");
    // The token moves with whoever registered it last.
    assert_eq!(http(world.here, "bob", Method::PUT, "/v1/devices/mine", Some(device)).await.0, 200);
    let (_, list) = http(world.there, "alice", Method::GET, "/v1/devices", None).await;
    assert_eq!(list["devices"], json!([]));
    assert_eq!(http(world.here, "bob", Method::DELETE, "/v1/devices/mine", None).await.0, 204);
    assert_eq!(http(world.here, "bob", Method::DELETE, "/v1/devices/mine", None).await.0, 404);
}

async fn presence_is_seen_by_contacts_only(world: &World) {
    let (_alice, _) = Client::login(world.here, "alice").await;
    assert_eq!(http(world.there, "bob", Method::GET, "/v1/me", None).await.0, 200);
    let status = async || {
        let (_, list) = http(world.there, "bob", Method::GET, "/v1/presence?user_ids=alice", None).await;
        list["presence"][0]["status"].clone()
    };
    assert_eq!(status().await, "offline");
    assert_eq!(http(world.here, "alice", Method::PUT, "/v1/contacts/bob", None).await.0, 204);
    assert_eq!(status().await, "online");
}

async fn other_origins_may_call_when_they_are_allowed(world: &World) {
    let ask = async |origin: &str| {
        let answer = reqwest::Client::new()
            .request(Method::OPTIONS, format!("http://{}/v1/me", world.here))
            .header("origin", origin)
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization")
            .send()
            .await
            .unwrap();
        answer.headers().get("access-control-allow-origin").map(|value| value.to_str().unwrap().to_owned())
    };
    let own = format!("http://{}", world.here);
    assert_eq!(ask(&own).await, Some(own));
    assert_eq!(ask("https://evil.example.com").await, None);
}

/// A call of the backend for a user.
async fn acting(world: &World, user: &str, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let request = reqwest::Client::new().request(method, format!("http://{}{path}", world.here));
    let request = request.bearer_auth(SERVER_KEY).header("x-tidings-user", user);
    let request = match body {
        Some(body) => request.body(body.to_string()),
        None => request,
    };
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

async fn a_backend_acts_for_users_whom_nobody_knows_yet(world: &World) {
    assert_eq!(acting(world, "bot0", Method::GET, "/v1/me", None).await.1["id"], "bot0");
    let message = json!({"to": "newcomer", "client_id": uuid::Uuid::new_v4(), "text": "welcome"});
    let (status, accepted) = acting(world, "bot1", Method::POST, "/v1/messages", Some(message)).await;
    assert_eq!(status, 202, "{accepted}");
    let group = json!({"kind": "group", "title": "Team", "member_ids": ["newcomer"]});
    let (status, group) = acting(world, "bot2", Method::POST, "/v1/conversations", Some(group)).await;
    assert_eq!((status, &group["role"]), (201, &json!("owner")));
    let direct = json!({"kind": "direct", "user_id": "newcomer"});
    assert_eq!(acting(world, "bot3", Method::POST, "/v1/conversations", Some(direct)).await.0, 201);
    let device = json!({"platform": "fcm", "token": "t", "app_id": "a"});
    assert_eq!(acting(world, "bot4", Method::PUT, "/v1/devices/phone", Some(device)).await.0, 200);
    let path = format!("/v1/conversations/{}/messages", accepted["conversation_id"].as_str().unwrap());
    let more = json!({"client_id": uuid::Uuid::new_v4(), "text": "again"});
    assert_eq!(acting(world, "bot1", Method::POST, &path, Some(more.clone())).await.0, 202);
    assert_eq!(acting(world, "bot2", Method::POST, &path, Some(more)).await.0, 404);
    // What is accepted is stored some time later.
    until("both messages are stored", async || {
        let (_, page) = acting(world, "bot1", Method::GET, &path, None).await;
        page["messages"].as_array().is_some_and(|messages| messages.len() == 2)
    })
    .await;
    let (mut newcomer, sync) = Client::login(world.there, "newcomer").await;
    assert_eq!(sync["conversations"].as_array().unwrap().len(), 3, "{sync}");
    newcomer.send(json!({"type": "history", "conversation_id": accepted["conversation_id"]})).await;
    assert_eq!(newcomer.expect("history").await["messages"][0]["text"], "welcome");
    // Nobody acts for who was sent away.
    assert_eq!(backend(world, Method::DELETE, "/v1/users/bot1", None).await.0, 204);
    assert_eq!(acting(world, "bot1", Method::GET, "/v1/me", None).await.0, 403);
}

async fn a_query_without_a_value_is_one_that_was_not_asked(world: &World) {
    let group = json!({"kind": "group", "title": "Team", "member_ids": ["bob"]});
    let (_, group) = http(world.here, "alice", Method::POST, "/v1/conversations", Some(group)).await;
    let id = group["id"].as_str().unwrap();
    for path in [
        "/v1/conversations?after=".to_owned(),
        format!("/v1/conversations/{id}/members?after=&limit="),
        format!("/v1/conversations/{id}/messages?before=&after=&limit="),
    ] {
        assert_eq!(http(world.here, "alice", Method::GET, &path, None).await.0, 200, "{path}");
    }
    assert_eq!(http(world.here, "alice", Method::GET, "/v1/users?ids=", None).await.0, 400);
}
