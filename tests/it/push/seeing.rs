//! What can be seen of pushes: a test with the provider's own words, and the trace of a message to the phone and back.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Scene;
use super::scene::{SOON, place};
use crate::support::client::{Client, http};
use crate::support::server::SERVER_KEY;

super::on_both!(
    a_test_rings_the_device_and_answers_with_the_providers_words,
    a_dead_token_is_said_and_the_device_stays_as_it_was,
    tests_are_few,
    a_message_is_traced_to_the_phone_and_back,
    a_backends_words_are_what_the_phone_shows,
);

async fn test(scene: &Scene, user: &str, device: &str) -> (u16, Value) {
    http(scene.here(), user, Method::POST, &format!("/v1/devices/{device}/test"), None).await
}

async fn a_test_rings_the_device_and_answers_with_the_providers_words(scene: &mut Scene) {
    let phone = scene.phone("bob", "phone").await;
    let android = scene.android("bob", "android").await;
    let (status, answer) = test(scene, "bob", "phone").await;
    let delivered = json!({"provider": "apns", "outcome": "delivered", "status": 200, "answer": ""});
    assert_eq!((status, &answer), (200, &delivered));
    scene.rings(&phone, "This device can be reached by push.").await;
    let (status, answer) = test(scene, "bob", "android").await;
    assert_eq!(
        (status, &answer["provider"], &answer["status"]),
        (200, &json!("fcm"), &json!(200)),
        "{answer}"
    );
    assert!(answer["answer"].as_str().unwrap().contains("projects/"), "{answer}");
    scene.rings(&android, "This device can be reached by push.").await;

    assert_eq!(test(scene, "bob", "none").await.0, 404);
    // Somebody else's.
    assert_eq!(http(scene.here(), "eve", Method::GET, "/v1/me", None).await.0, 200);
    assert_eq!(test(scene, "eve", "phone").await.0, 404);
}

async fn a_dead_token_is_said_and_the_device_stays_as_it_was(scene: &mut Scene) {
    let phone = scene.phone("bob", "phone").await;
    assert_eq!(test(scene, "bob", "phone").await.0, 200);
    scene.fake.uninstall(&phone).expect("the phone is known");
    let (status, answer) = test(scene, "bob", "phone").await;
    assert_eq!(
        (status, &answer["outcome"], &answer["status"]),
        (200, &json!("token_invalid"), &json!(410)),
        "{answer}"
    );
    assert!(answer["answer"].as_str().unwrap().contains("Unregistered"), "{answer}");
    let (_, list) = http(scene.there(), "bob", Method::GET, "/v1/devices", None).await;
    assert_eq!(list["devices"][0].get("disabled_at"), None, "{list}");
}

async fn tests_are_few(scene: &mut Scene) {
    scene.phone("bob", "phone").await;
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(test(scene, "bob", "phone").await.0);
    }
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429]);
}

async fn a_message_is_traced_to_the_phone_and_back(scene: &mut Scene) {
    let phone = scene.phone("bob", "phone").await;
    let (mut alice, _) = Client::login(scene.here(), "alice").await;
    alice.say_to("bob", "where am I?").await;
    let (id, seq) = place(&mut alice, "where am I?").await;
    let shown = scene.rings(&phone, "where am I?").await;

    let sent = traced(scene, &id, seq, |push| push["decision"] == "sent").await;
    assert_eq!((&sent["acknowledged"], &sent["platform"]), (&json!(false), &json!("apns")), "{sent}");
    let push = &sent["push"];
    assert_eq!(
        (&push["provider"], &push["status"], &push["attempts"]),
        (&json!("apns"), &json!(200), &json!(1)),
        "{sent}"
    );
    assert!(push["decided_at"].as_str() <= push["answered_at"].as_str(), "{sent}");
    assert_eq!(push["acknowledged_after"], false, "{sent}");

    // As its notification extension does, with nothing but what came with the push.
    let token = shown.data["ack_token"].as_str().expect("a token comes with the push");
    let ack = reqwest::Client::new().post(format!("http://{}/v1/ack", scene.there())).bearer_auth(token);
    assert_eq!(ack.send().await.unwrap().status().as_u16(), 204);
    let fits = |f: &Value| f["type"] == "receipt" && f["user_id"] == "bob" && f["delivered_seq"] == seq;
    alice.find(fits, "receipt").await;
    let back = traced(scene, &id, seq, |push| push["acknowledged_after"] == true).await;
    assert_eq!((&back["acknowledged"], &back["foreground"]), (&json!(true), &json!(false)), "{back}");
}

async fn a_backends_words_are_what_the_phone_shows(scene: &mut Scene) {
    let phone = scene.phone("bob", "phone").await;
    let push = json!({"title": "Order 7", "body": "It is on its way.", "data": {"link": "app://orders/7"}, "sound": "van.caf"});
    let body = json!({"to": "bob", "client_id": uuid::Uuid::new_v4(), "text": "{\"order\":7}", "push": push});
    let send = reqwest::Client::new()
        .post(format!("http://{}/v1/messages", scene.here()))
        .bearer_auth(SERVER_KEY)
        .header("X-Tidings-User", "shop")
        .body(body.to_string());
    assert_eq!(send.send().await.unwrap().status().as_u16(), 202);
    let shown = scene.rings(&phone, "It is on its way.").await;
    assert_eq!((shown.title.as_deref(), shown.sound.as_deref()), (Some("Order 7"), Some("van.caf")));
    assert_eq!((&shown.data["link"], &shown.data["sender_id"]), (&json!("app://orders/7"), &json!("shop")));
}

/// Bob's phone in the trace, once what it says of the push fits.
async fn traced(scene: &Scene, id: &str, seq: i64, fits: impl Fn(&Value) -> bool) -> Value {
    let url = format!("http://{}/v1/conversations/{id}/messages/{seq}/trace", scene.here());
    let deadline = Instant::now() + SOON;
    loop {
        let answer = reqwest::Client::new().get(&url).bearer_auth(SERVER_KEY).send().await.unwrap();
        let trace: Value = answer.json().await.unwrap();
        let device = &trace["members"][1]["devices"][0];
        if fits(&device["push"]) {
            return device.clone();
        }
        assert!(Instant::now() < deadline, "{trace}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
