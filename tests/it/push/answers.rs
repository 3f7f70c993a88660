//! What follows from a provider's answer.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tidings::push::fake::{Fault, Rule, Service};
use tokio::time::Instant;

use super::scene::{SOON, Scene};
use crate::support::client::{Client, http};

super::on_both!(
    a_dead_token_disables_its_device,
    a_token_of_another_sender_is_quarantined,
    what_the_provider_cannot_take_now_it_gets_later_and_once,
    what_the_provider_refuses_goes_to_the_dead_letters,
    when_most_tokens_are_called_dead_devices_are_set_aside_and_not_disabled,
);

/// Waits until the device is so.
async fn device(scene: &Scene, user: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + SOON;
    loop {
        let (_, list) = http(scene.there(), user, Method::GET, "/v1/devices", None).await;
        if fits(&list["devices"][0]) {
            return list["devices"][0].clone();
        }
        assert!(Instant::now() < deadline, "{list}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn a_dead_token_disables_its_device(scene: &mut Scene) {
    let phone = scene.phone("bob", "phone").await;
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    ann.say_to("bob", "one").await;
    scene.rings(&phone, "one").await;
    scene.fake.uninstall(&phone).unwrap();
    ann.say_to("bob", "two").await;
    let device = device(scene, "bob", |device| device["disabled_at"].is_string()).await;
    assert!(device["quarantined_at"].is_null());
    let requests = scene.fake.requests(Service::Apns);
    ann.say_to("bob", "three").await;
    scene.decided("no_device", 1.0).await;
    assert_eq!(scene.fake.requests(Service::Apns), requests, "never again");
}

async fn a_token_of_another_sender_is_quarantined(scene: &mut Scene) {
    scene.android("bob", "phone").await;
    scene.fake.fault(Service::Fcm, Rule::once(Fault::reason(403, "SENDER_ID_MISMATCH")));
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    ann.say_to("bob", "one").await;
    let device = device(scene, "bob", |device| device["quarantined_at"].is_string()).await;
    assert!(device["disabled_at"].is_null());
}

async fn what_the_provider_cannot_take_now_it_gets_later_and_once(scene: &mut Scene) {
    let phone = scene.phone("bob", "phone").await;
    scene.fake.fault(Service::Apns, Rule::once(Fault::retry_after(429, "2")));
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    let began = Instant::now();
    ann.say_to("bob", "one").await;
    scene.rings(&phone, "one").await;
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    for fault in [Fault::status(503), Fault::Reset, Fault::Goaway] {
        scene.fake.fault(Service::Apns, Rule::once(fault));
    }
    ann.say_to("bob", "two").await;
    scene.rings(&phone, "two").await;
    let shown = scene.fake.phone(&phone).unwrap();
    assert_eq!((shown.alerts.len(), shown.rings), (2, 2));
}

async fn what_the_provider_refuses_goes_to_the_dead_letters(scene: &mut Scene) {
    let phone = scene.phone("bob", "phone").await;
    scene.fake.fault(Service::Apns, Rule::once(Fault::reason(400, "BadTopic")));
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    ann.say_to("bob", "one").await;
    let deadline = Instant::now() + SOON;
    loop {
        let servers = scene.world.servers.iter().chain(&scene.world.pushers);
        let mut dead = 0.0;
        for server in servers {
            dead +=
                server.labelled_metric("tidings_dead_lettered_messages_total", "reason=\"provider\"").await;
        }
        if dead >= 1.0 {
            break;
        }
        assert!(Instant::now() < deadline, "no dead letter");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ann.say_to("bob", "two").await;
    scene.rings(&phone, "two").await;
    scene.does_not_show(&phone, "one");
}

async fn when_most_tokens_are_called_dead_devices_are_set_aside_and_not_disabled(scene: &mut Scene) {
    // Past the default share of a half; fewer than twenty answers say nothing.
    for number in 0..30 {
        let token = scene.phone("bob", &format!("phone-{number:02}")).await;
        scene.fake.fault(Service::Apns, Rule { token: Some(token), ..Rule::once(Fault::status(410)) });
    }
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    ann.say_to("bob", "one").await;
    let deadline = Instant::now() + SOON;
    loop {
        let (_, list) = http(scene.there(), "bob", Method::GET, "/v1/devices", None).await;
        let marked = |name: &str| {
            let devices = list["devices"].as_array().expect("a list");
            devices.iter().filter(|device| device[name].is_string()).count()
        };
        let (disabled, aside) = (marked("disabled_at"), marked("quarantined_at"));
        if disabled + aside == 30 {
            assert_eq!((disabled, aside), (19, 11));
            break;
        }
        assert!(Instant::now() < deadline, "{list}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
