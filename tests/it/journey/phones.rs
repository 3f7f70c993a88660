//! What people and backends say over HTTP about phones: wishes, acknowledgements, registrations, traces.

use std::time::{Duration, SystemTime};

use reqwest::Method;
use serde_json::{Value, json};
use tidings::auth::{AckScope, AckTokens, Secret, own_secret};
use uuid::Uuid;

use crate::support::client::{Client, Upgrade, http, token};
use crate::support::server::{SECRET, SERVER_KEY};
use crate::support::world::World;

const SIGNING: &str = "a signing secret of at least thirty-two bytes";

macro_rules! scenarios {
    ($($name:ident),+ $(,)?) => {
        mod on_dev {
            $(#[tokio::test]
            async fn $name() {
                let settings = [("auth__signing_secret", super::SIGNING)];
                super::$name(&$crate::support::world::World::dev(&settings).await).await;
            })+
        }
        mod on_roles {
            $(#[tokio::test]
            async fn $name() {
                let settings = [("auth__signing_secret", super::SIGNING)];
                super::$name(&$crate::support::world::World::roles(&settings).await).await;
            })+
        }
    };
}

scenarios!(
    wishes_are_kept_field_by_field_and_cleared,
    wishes_that_make_no_sense_are_refused,
    a_backend_sets_the_wishes_of_its_user,
    an_extension_acknowledges_with_the_token_of_its_push,
    a_token_that_acknowledges_does_nothing_else,
    a_user_acknowledges_for_a_device,
    a_registration_that_no_provider_would_take_is_refused,
    words_for_the_push_are_a_backends_and_are_checked,
    a_backend_sees_where_a_message_is,
);

async fn call(world: &World, bearer: &str, method: Method, path: &str, body: Value) -> (u16, Value) {
    call_for(world, bearer, None, method, path, body).await
}

async fn call_for(
    world: &World,
    bearer: &str,
    user: Option<&str>,
    method: Method,
    path: &str,
    body: Value,
) -> (u16, Value) {
    let mut request =
        reqwest::Client::new().request(method, format!("http://{}{path}", world.here)).bearer_auth(bearer);
    if let Some(user) = user {
        request = request.header("X-Tidings-User", user);
    }
    if !body.is_null() {
        request = request.body(body.to_string());
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

async fn wishes_are_kept_field_by_field_and_cleared(world: &World) {
    let me = async |at, body: Option<Value>| {
        let method = if body.is_some() { Method::PATCH } else { Method::GET };
        let (status, me) = http(at, "alice", method, "/v1/me", body).await;
        assert_eq!((status, &me["id"]), (200, &json!("alice")), "{me}");
        me["push"].clone()
    };
    let nothing = json!({"do_not_disturb": null, "hold_until_unread": null});
    assert_eq!(me(world.here, None).await, nothing);
    let night = json!({"from": "22:00", "until": "07:05", "time_zone": "Europe/Berlin"});
    let push = me(world.here, Some(json!({"push": {"do_not_disturb": night}}))).await;
    assert_eq!(push, json!({"do_not_disturb": night, "hold_until_unread": null}));
    me(world.here, Some(json!({"push": {"hold_until_unread": "1m30s"}, "display_name": "Alice"}))).await;
    let both = json!({"do_not_disturb": night, "hold_until_unread": "1m30s"});
    assert_eq!(me(world.there, None).await, both);
    // What is not spoken of stays.
    assert_eq!(me(world.there, Some(json!({"display_name": "A."}))).await, both);
    let push = me(world.here, Some(json!({"push": {"do_not_disturb": null}}))).await;
    assert_eq!(push, json!({"do_not_disturb": null, "hold_until_unread": "1m30s"}));
    assert_eq!(me(world.there, Some(json!({"push": null}))).await, nothing);
}

async fn wishes_that_make_no_sense_are_refused(world: &World) {
    let hours = |from: &str, until: &str, zone: &str| json!({"push": {"do_not_disturb": {"from": from, "until": until, "time_zone": zone}}});
    for wrong in [
        hours("22:00", "07:00", "Europe/Atlantis"),
        hours("22:00", "07:00", ""),
        hours("25:00", "07:00", "UTC"),
        hours("22:00", "7", "UTC"),
        hours("22:00", "22:00", "UTC"),
        json!({"push": {"do_not_disturb": {"from": "22:00"}}}),
        json!({"push": {"hold_until_unread": "soon"}}),
        json!({"push": {"hold_until_unread": 30}}),
        json!({"push": {"hold_until_unread": "2h"}}),
        json!({"push": "never"}),
    ] {
        let (status, answer) = http(world.here, "alice", Method::PATCH, "/v1/me", Some(wrong.clone())).await;
        assert_eq!((status, &answer["code"]), (400, &json!("bad_request")), "{wrong}: {answer}");
    }
    // One part that is wrong keeps the others from being done.
    let mixed = json!({"display_name": "No", "push": {"hold_until_unread": "soon"}});
    assert_eq!(http(world.here, "alice", Method::PATCH, "/v1/me", Some(mixed)).await.0, 400);
    let (_, me) = http(world.here, "alice", Method::GET, "/v1/me", None).await;
    assert_eq!(me.get("display_name"), None, "{me}");
}

async fn a_backend_sets_the_wishes_of_its_user(world: &World) {
    assert_eq!(http(world.there, "alice", Method::GET, "/v1/me", None).await.0, 200);
    let wish = json!({"push": {"hold_until_unread": "5s"}});
    let (status, me) = call_for(world, SERVER_KEY, Some("alice"), Method::PATCH, "/v1/me", wish).await;
    assert_eq!((status, &me["push"]["hold_until_unread"]), (200, &json!("5s")), "{me}");
    let (_, me) = http(world.there, "alice", Method::GET, "/v1/me", None).await;
    assert_eq!(me["push"]["hold_until_unread"], "5s");
}

/// Two messages from alice to bob, whose device acknowledged none; the conversation.
async fn two_messages(world: &World) -> (Client, String) {
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let id = alice.say_to("bob", "one").await["conversation_id"].as_str().unwrap().to_owned();
    alice.say_in(&id, "two").await;
    alice.message("two").await;
    (alice, id)
}

fn ack_token(secret: &str, conversation: &str, seq: i64) -> String {
    let tokens = AckTokens::new(&Secret::new(secret), Duration::from_secs(60));
    let scope = AckScope { conversation_id: Uuid::parse_str(conversation).unwrap(), seq };
    tokens.mint("bob", "phone", scope, SystemTime::now()).unwrap().token
}

/// Waits for the receipt that bob's acknowledgement gives to alice.
async fn delivered(alice: &mut Client, seq: i64) {
    let fits = |f: &Value| f["type"] == "receipt" && f["user_id"] == "bob" && f["delivered_seq"] == seq;
    let receipt = alice.find(fits, "receipt").await;
    assert_eq!(receipt["read_seq"], Value::Null, "arriving is not reading");
}

async fn an_extension_acknowledges_with_the_token_of_its_push(world: &World) {
    let (mut alice, id) = two_messages(world).await;
    let first = ack_token(SIGNING, &id, 1);
    assert_eq!(call(world, &first, Method::POST, "/v1/ack", Value::Null).await.0, 204);
    delivered(&mut alice, 1).await;
    let second = ack_token(SIGNING, &id, 2);
    let body = json!({"conversation_id": id, "seq": 2, "device_id": "phone"});
    assert_eq!(call(world, &second, Method::POST, "/v1/ack", body).await.0, 204);
    delivered(&mut alice, 2).await;

    let (_, trace) = call(world, SERVER_KEY, Method::GET, &trace_path(&id, 2), Value::Null).await;
    let bob = &trace["members"][1];
    assert_eq!((&bob["delivered"], &bob["read"]), (&json!(true), &json!(false)), "{trace}");
    let phone = json!({"device_id": "phone", "acknowledged": true, "foreground": false});
    assert_eq!(bob["devices"], json!([phone]), "{trace}");
}

fn trace_path(conversation: &str, seq: i64) -> String {
    format!("/v1/conversations/{conversation}/messages/{seq}/trace")
}

async fn a_token_that_acknowledges_does_nothing_else(world: &World) {
    let (_alice, id) = two_messages(world).await;
    let token = ack_token(SIGNING, &id, 1);
    let ack = |body: Value| call(world, &token, Method::POST, "/v1/ack", body);
    assert_eq!(ack(json!({"seq": 2})).await.0, 403);
    assert_eq!(ack(json!({"conversation_id": Uuid::new_v4()})).await.0, 403);
    assert_eq!(ack(json!({"device_id": "tablet"})).await.0, 403);
    assert_eq!(ack(json!({"seq": 0})).await.0, 400);
    for (method, path) in [
        (Method::GET, "/v1/me".to_owned()),
        (Method::GET, "/v1/conversations".to_owned()),
        (Method::GET, format!("/v1/conversations/{id}/messages")),
        (Method::GET, trace_path(&id, 1)),
        (Method::POST, format!("/v1/conversations/{id}/messages")),
        (Method::PUT, "/v1/devices/phone".to_owned()),
        (Method::GET, "/v1/presence?user_ids=alice".to_owned()),
    ] {
        let (status, answer) = call(world, &token, method, &path, json!({})).await;
        assert_eq!(status, 401, "{path}: {answer}");
    }
    let upgrade = Upgrade { bearer: Some(&token), ..Upgrade::default() };
    assert!(Client::open(world.here, upgrade).await.is_err(), "a socket was opened");

    // Of another server, of another secret, of somebody who is gone.
    let forged = ack_token(SECRET, &id, 1);
    assert_eq!(call(world, &forged, Method::POST, "/v1/ack", Value::Null).await.0, 401);
    let revoke = "/v1/users/bob/revoke";
    assert_eq!(call(world, SERVER_KEY, Method::POST, revoke, Value::Null).await.0, 204);
    assert_eq!(ack(Value::Null).await.0, 401);
}

async fn a_user_acknowledges_for_a_device(world: &World) {
    let (mut alice, id) = two_messages(world).await;
    let ack = |user: &str, body: Value| {
        let token = token(user);
        async move { call(world, &token, Method::POST, "/v1/ack", body).await.0 }
    };
    assert_eq!(ack("bob", json!({"conversation_id": id, "seq": 1})).await, 400);
    assert_eq!(ack("bob", json!({"device_id": "phone"})).await, 400);
    assert_eq!(ack("eve", json!({"conversation_id": id, "seq": 1, "device_id": "phone"})).await, 404);
    assert_eq!(ack("bob", json!({"conversation_id": id, "seq": 1, "device_id": "phone"})).await, 204);
    delivered(&mut alice, 1).await;
    let body = json!({"conversation_id": id, "seq": 2, "device_id": "phone"});
    assert_eq!(call_for(world, SERVER_KEY, Some("bob"), Method::POST, "/v1/ack", body).await.0, 204);
    delivered(&mut alice, 2).await;
}

#[tokio::test]
async fn without_a_signing_secret_the_shared_one_vouches_for_the_tokens_of_pushes() {
    let settings = [("auth__signing_secret", ""), ("auth__accounts", "false")];
    let world = World::roles(&settings).await;
    let (mut alice, id) = two_messages(&world).await;
    let own = own_secret(None, Some(&Secret::new(SECRET))).unwrap();
    let token = ack_token(own.expose(), &id, 1);
    assert_eq!(call(&world, &token, Method::POST, "/v1/ack", Value::Null).await.0, 204);
    delivered(&mut alice, 1).await;
    assert_eq!(call(&world, &token, Method::GET, "/v1/me", Value::Null).await.0, 401);
}

async fn a_registration_that_no_provider_would_take_is_refused(world: &World) {
    let put =
        async |device: Value| http(world.here, "alice", Method::PUT, "/v1/devices/phone", Some(device)).await;
    let subscription = |endpoint: &str| {
        let keys = json!({
            "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
            "auth": "BTBZMqHH6r4Tts7J_aSIgg",
        });
        json!({"platform": "webpush", "token": json!({"endpoint": endpoint, "keys": keys}).to_string()})
    };
    for wrong in [
        json!({"platform": "apns", "app_id": "a", "token": "not hex"}),
        json!({"platform": "apns", "app_id": "a", "token": "a/b"}),
        json!({"platform": "apns", "app_id": "a", "token": ""}),
        json!({"platform": "apns", "app_id": "a".repeat(256), "token": "abcd"}),
        json!({"platform": "fcm", "app_id": "a", "token": "x".repeat(4097)}),
        json!({"platform": "fcm", "app_id": "a\nb", "token": "x"}),
        json!({"platform": "apns", "app_id": "a", "token": "abcd", "environment": "beta"}),
        json!({"platform": "pigeon", "app_id": "a", "token": "abcd"}),
        json!({"platform": "webpush", "token": "{}"}),
        subscription("http://fcm.googleapis.com/x"),
        subscription("https://redis.internal/x"),
        subscription("https://push.apple.com.evil.example/x"),
    ] {
        let (status, answer) = put(wrong.clone()).await;
        assert_eq!((status, &answer["code"]), (400, &json!("bad_request")), "{wrong}: {answer}");
    }
    let (status, device) = put(subscription("https://web.push.apple.com/x")).await;
    assert_eq!((status, &device["platform"]), (200, &json!("webpush")), "{device}");
    let (status, device) = put(json!({"platform": "apns", "app_id": "a", "token": "00ffAB"})).await;
    assert_eq!((status, device.get("environment")), (200, None), "{device}");
}

async fn words_for_the_push_are_a_backends_and_are_checked(world: &World) {
    let (mut bob, _) = Client::login(world.there, "bob").await;
    let send = async |bearer: &str, user: Option<&str>, push: Value| {
        let body = json!({"to": "bob", "client_id": Uuid::new_v4(), "text": "hello", "push": push});
        call_for(world, bearer, user, Method::POST, "/v1/messages", body).await
    };
    let backend = async |push: Value| {
        let (status, answer) = send(SERVER_KEY, Some("alice"), push).await;
        (status, answer["code"].clone())
    };
    assert_eq!(http(world.here, "alice", Method::GET, "/v1/me", None).await.0, 200);
    let (status, answer) = send(&token("alice"), None, json!({"title": "mine"})).await;
    assert_eq!((status, &answer["code"]), (403, &json!("forbidden")), "{answer}");
    assert_eq!(backend(json!({"data": {"aps": 1}})).await, (400, json!("bad_request")));
    assert_eq!(backend(json!({"titel": "typo"})).await, (400, json!("bad_request")));
    assert_eq!(backend(json!({"priority": "urgent"})).await, (400, json!("bad_request")));
    assert_eq!(backend(json!({"data": {"x": "y".repeat(2048)}})).await, (413, json!("too_large")));
    assert_eq!(backend(json!({"body": "y".repeat(5000)})).await, (413, json!("too_large")));
    let good =
        json!({"title": "Order 7", "data": {"link": "app://7"}, "priority": "normal", "silent": false});
    assert_eq!(backend(good).await.0, 202);
    bob.message("hello").await;
}

async fn a_backend_sees_where_a_message_is(world: &World) {
    let (_alice, id) = two_messages(world).await;
    let phone = json!({"platform": "fcm", "token": "secret-token", "app_id": "org.example.chat"});
    assert_eq!(http(world.here, "bob", Method::PUT, "/v1/devices/phone", Some(phone)).await.0, 200);
    let (status, trace) = call(world, SERVER_KEY, Method::GET, &trace_path(&id, 1), Value::Null).await;
    assert_eq!(status, 200, "{trace}");
    assert_eq!(
        (&trace["seq"], &trace["sender_id"], &trace["kind"]),
        (&json!(1), &json!("alice"), &json!("text"))
    );
    let time = |name: &str| trace[name].as_str().unwrap_or_else(|| panic!("no {name}: {trace}")).to_owned();
    // RFC 3339 in one zone sorts as text.
    assert!(time("received_at") <= time("storing_at"), "{trace}");
    assert!(time("storing_at") <= time("fanned_out_at"), "{trace}");
    let members = trace["members"].as_array().unwrap();
    assert_eq!(members.len(), 2, "{trace}");
    assert_eq!((&members[0]["user_id"], &members[0]["read"]), (&json!("alice"), &json!(true)), "{trace}");
    assert_eq!((&members[1]["user_id"], &members[1]["delivered"]), (&json!("bob"), &json!(false)), "{trace}");
    assert_eq!(members[1]["devices"][0]["platform"], "fcm", "{trace}");
    assert!(!trace.to_string().contains("secret-token"), "{trace}");
    assert_eq!(trace.get("unavailable"), None, "{trace}");

    let (status, _) = call(world, SERVER_KEY, Method::GET, &trace_path(&id, 99), Value::Null).await;
    assert_eq!(status, 404);
    let nowhere = trace_path(&Uuid::new_v4().to_string(), 1);
    assert_eq!(call(world, SERVER_KEY, Method::GET, &nowhere, Value::Null).await.0, 404);
    let after = format!("{}?after=alice", trace_path(&id, 1));
    let (_, trace) = call(world, SERVER_KEY, Method::GET, &after, Value::Null).await;
    assert_eq!(trace["members"].as_array().unwrap().len(), 1, "{trace}");
}

#[tokio::test]
async fn in_dev_members_see_where_their_messages_are_and_others_do_not() {
    let world = World::dev(&[]).await;
    let (_alice, id) = two_messages(&world).await;
    for user in ["alice", "bob"] {
        let (status, trace) = http(world.here, user, Method::GET, &trace_path(&id, 1), None).await;
        assert_eq!((status, &trace["seq"]), (200, &json!(1)), "{trace}");
    }
    assert_eq!(http(world.here, "eve", Method::GET, &trace_path(&id, 1), None).await.0, 404);
}

#[tokio::test]
async fn on_the_roles_only_backends_see_traces() {
    let world = World::roles(&[]).await;
    let (_alice, id) = two_messages(&world).await;
    let (status, answer) = http(world.here, "alice", Method::GET, &trace_path(&id, 1), None).await;
    assert_eq!((status, &answer["code"]), (403, &json!("forbidden")));
}

#[tokio::test]
async fn a_test_of_a_device_without_a_push_process_is_unavailable_in_time() {
    let settings = [("gateway__http_timeout", "3s"), ("ingress__max_wait", "1s")];
    let world = World::roles(&settings).await;
    let phone = json!({"platform": "fcm", "token": "t", "app_id": "org.example.chat"});
    assert_eq!(http(world.here, "alice", Method::GET, "/v1/me", None).await.0, 200);
    assert_eq!(http(world.here, "alice", Method::PUT, "/v1/devices/phone", Some(phone)).await.0, 200);
    let (status, answer) = http(world.here, "alice", Method::POST, "/v1/devices/phone/test", None).await;
    assert_eq!((status, &answer["code"]), (503, &json!("unavailable")), "{answer}");
    assert!(answer["detail"].as_str().unwrap().contains("push stage"), "{answer}");
}
