//! What an application's backend and its users do beside talking.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::{Client, http};
use crate::support::server::SERVER_KEY;
use crate::support::world::World;

crate::on_both_worlds!(
    a_backend_provisions_revokes_and_deactivates_users,
    a_blocked_user_may_not_write_and_may_again_afterwards,
    devices_are_registered_without_showing_their_token,
    presence_is_seen_by_contacts_only,
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
