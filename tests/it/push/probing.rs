//! A test push, and the provider's own words about it.

use reqwest::Method;
use serde_json::{Value, json};

use super::Scene;
use crate::support::client::http;

super::on_both!(
    a_test_rings_the_device_and_answers_with_the_providers_words,
    a_dead_token_is_said_and_the_device_stays_as_it_was,
    tests_are_few,
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
    scene.fake.uninstall(&phone);
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
