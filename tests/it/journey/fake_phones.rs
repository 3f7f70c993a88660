//! The phones that `tidings dev` shows, since it stands in for the push services itself.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::client::{Client, SOON, http};
use crate::support::push;
use crate::support::world::World;

/// A process with its fakes, and what they take.
async fn dev(settings: &[(&str, &str)]) -> (World, tempfile::TempDir) {
    let data = tempfile::tempdir().expect("a folder can be made");
    let folder = data.path().to_str().expect("the folder's name is text").to_owned();
    let mut all = vec![("embedded__data_dir", folder.as_str())];
    all.extend_from_slice(settings);
    (World::dev(&all).await, data)
}

async fn register(world: &World, user: &str, token: &str) {
    let device = json!({"platform": "apns", "token": token, "app_id": "org.tidings.demo"});
    let (status, answer) = http(world.here, user, Method::PUT, "/v1/devices/phone", Some(device)).await;
    assert_eq!(status, 200, "{answer}");
}

async fn phones(world: &World, user: &str, query: &str) -> (u16, Value) {
    http(world.here, user, Method::GET, &format!("/v1/dev/phones{query}"), None).await
}

fn bodies(phone: &Value) -> Vec<&str> {
    let alerts = phone["alerts"].as_array().expect("alerts");
    alerts.iter().filter_map(|alert| alert["body"].as_str()).collect()
}

#[tokio::test]
async fn a_member_sees_of_the_others_phones_the_alerts_of_their_conversation_alone() {
    let (world, data) = dev(&[]).await;
    let lines =
        std::fs::read_to_string(data.path().join("fake-push/tidings.env")).expect("the fakes' settings");
    let apns = push::apns(&push::settings(&lines));
    let (mut ann, _) = Client::login(world.here, "ann").await;
    let (_bob, _) = Client::login(world.here, "bob").await;
    let ours = ann.say_to("bob", "hello").await["conversation_id"].as_str().expect("an id").to_owned();
    ann.message("hello").await;
    let other = uuid::Uuid::new_v4().to_string();
    register(&world, "bob", &"ab".repeat(32)).await;
    register(&world, "ann", &"cd".repeat(32)).await;
    push::ring(&apns, &"ab".repeat(32), &ours, "for both").await;
    push::ring(&apns, &"ab".repeat(32), &other, "for bob alone").await;

    let (status, own) = phones(&world, "bob", "").await;
    assert_eq!(status, 200, "{own}");
    assert_eq!(own["phones"].as_array().map(Vec::len), Some(1), "{own}");
    assert_eq!(bodies(&own["phones"][0]), ["for both", "for bob alone"]);
    assert_eq!((&own["phones"][0]["badge"], &own["phones"][0]["rings"]), (&json!(7), &json!(2)));

    let (_, seen) = phones(&world, "ann", &format!("?conversation_id={ours}")).await;
    let list = seen["phones"].as_array().expect("phones");
    let of = |user: &str| list.iter().find(|phone| phone["user_id"] == user).expect("a phone");
    assert_eq!(bodies(of("bob")), ["for both"]);
    assert!(of("bob").get("badge").is_none() && of("bob").get("rings").is_none(), "{seen}");
    assert!(bodies(of("ann")).is_empty());
    for answer in [&own, &seen] {
        let text = answer.to_string();
        assert!(!text.contains("a secret of the owner") && !text.contains(&"ab".repeat(32)), "{text}");
    }

    let (status, _) = phones(&world, "eve", &format!("?conversation_id={ours}")).await;
    assert_eq!(status, 404);
    let (status, _) = phones(&world, "ann", &format!("?conversation_id={other}")).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_message_to_somebody_who_is_away_is_on_their_phone_until_they_read_it() {
    let (world, _data) = dev(&[]).await;
    let (mut ann, _) = Client::login(world.here, "ann").await;
    register(&world, "bob", &"ab".repeat(32)).await;
    let ours = ann.say_to("bob", "lunch?").await["conversation_id"].as_str().expect("an id").to_owned();
    let shown = async |wanted: &[&str]| {
        let deadline = Instant::now() + SOON;
        loop {
            let (_, own) = phones(&world, "bob", "").await;
            if bodies(&own["phones"][0]) == wanted {
                return own;
            }
            assert!(Instant::now() < deadline, "not {wanted:?}: {own}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let rung = shown(&["lunch?"]).await;
    assert_eq!((&rung["phones"][0]["badge"], &rung["phones"][0]["rings"]), (&json!(1), &json!(1)), "{rung}");
    let (mut bob, _) = Client::login(world.here, "bob").await;
    bob.send(json!({"type": "read", "conversation_id": ours, "seq": 1})).await;
    let read = shown(&[]).await;
    assert_eq!(read["phones"][0]["rings"], 1, "{read}");
}

#[tokio::test]
async fn a_fake_browser_subscribes_with_the_key_that_the_server_tells() {
    let (world, _data) = dev(&[]).await;
    let (status, told) = http(world.here, "ann", Method::GET, "/v1/push", None).await;
    assert_eq!((status, &told["fake_phones"]), (200, &json!(true)), "{told}");
    let key = told["vapid_public_key"].as_str().expect("a key");
    assert_eq!(key.len(), 87, "an uncompressed point of P-256 in base64: {key}");
    let body = json!({"application_server_key": key});
    let (status, made) = http(world.here, "ann", Method::POST, "/v1/dev/subscriptions", Some(body)).await;
    assert_eq!(status, 201, "{made}");
    let device = json!({"platform": "webpush", "token": made["subscription"].to_string(), "app_id": "web"});
    assert_eq!(http(world.here, "ann", Method::PUT, "/v1/devices/browser", Some(device)).await.0, 200);
    let (_, own) = phones(&world, "ann", "").await;
    assert_eq!(own["phones"][0]["platform"], "webpush", "{own}");
}

#[tokio::test]
async fn the_fakes_can_be_switched_off_and_stay_away_where_a_provider_is_configured() {
    // The private key of the example in RFC 8291: any would do.
    let key = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
    let off: &[(&str, &str)] = &[("embedded__fake_push", "false")];
    let configured: &[(&str, &str)] =
        &[("webpush__vapid_private_key", key), ("webpush__subject", "mailto:a@example.org")];
    for settings in [off, configured] {
        let (world, data) = dev(settings).await;
        let (_, told) = http(world.here, "ann", Method::GET, "/v1/push", None).await;
        assert!(told.get("fake_phones").is_none(), "{told}");
        assert_eq!(told.get("vapid_public_key").is_some(), settings.len() == 2, "{told}");
        assert_eq!(phones(&world, "ann", "").await.0, 404);
        assert!(!data.path().join("fake-push").exists());
    }
}

#[tokio::test]
async fn the_roles_have_no_fake_phones() {
    let world = World::roles(&[]).await;
    let (status, told) = http(world.here, "ann", Method::GET, "/v1/push", None).await;
    assert_eq!((status, told), (200, json!({})));
    assert_eq!(phones(&world, "ann", "").await.0, 404);
}
