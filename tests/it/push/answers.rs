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
    a_credential_that_is_refused_is_renewed_once_and_then_counted,
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
    let dead = device(scene, "bob", |device| device["disabled_at"].is_string()).await;
    assert!(dead["quarantined_at"].is_null());
    let requests = scene.fake.requests(Service::Apns);
    ann.say_to("bob", "three").await;
    scene.decided("no_device", 1.0).await;
    assert_eq!(scene.fake.requests(Service::Apns), requests, "never again");

    let (android, browser) = (scene.android("cat", "phone").await, scene.browser("dan", "browser").await);
    for (user, phone) in [("cat", &android), ("dan", &browser)] {
        ann.say_to(user, "one").await;
        scene.rings(phone, "one").await;
        scene.fake.uninstall(phone).unwrap();
        ann.say_to(user, "two").await;
        device(scene, user, |device| device["disabled_at"].is_string()).await;
    }
}

async fn a_token_of_another_sender_is_quarantined(scene: &mut Scene) {
    scene.android("bob", "phone").await;
    scene.phone("cat", "phone").await;
    scene.fake.fault(Service::Fcm, Rule::once(Fault::reason(403, "SENDER_ID_MISMATCH")));
    scene.fake.fault(Service::Apns, Rule::once(Fault::reason(400, "DeviceTokenNotForTopic")));
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    for user in ["bob", "cat"] {
        ann.say_to(user, "one").await;
        let device = device(scene, user, |device| device["quarantined_at"].is_string()).await;
        assert!(device["disabled_at"].is_null());
    }
}

async fn a_credential_that_is_refused_is_renewed_once_and_then_counted(scene: &mut Scene) {
    let (phone, android) = (scene.phone("bob", "phone").await, scene.android("cat", "phone").await);
    let refusals = [
        (Service::Apns, "bob", &phone, Fault::reason(403, "ExpiredProviderToken")),
        (Service::Fcm, "cat", &android, Fault::status(401)),
    ];
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    for (service, user, phone, refusal) in &refusals {
        scene.fake.fault(*service, Rule::once(refusal.clone()));
        ann.say_to(user, "renewed").await;
        scene.rings(phone, "renewed").await;
        assert_eq!(scene.fake.requests(*service), 2, "{service:?}");
        // The renewed one too: the push waits, and it is seen why.
        scene.fake.fault(*service, Rule { times: Some(2), ..Rule::always(refusal.clone()) });
        ann.say_to(user, "later").await;
        scene.rings(phone, "later").await;
        let label = format!("provider=\"{}\",result=\"credential\"", service.name());
        let mut refused = 0.0;
        for server in scene.world.servers.iter().chain(&scene.world.pushers) {
            refused += server.labelled_metric("tidings_push_requests_total", &label).await;
        }
        assert!(refused >= 1.0, "{service:?}");
    }
    assert_eq!(scene.fake.provider_tokens(), 1, "the fake was told to refuse the first one");
}

async fn what_the_provider_cannot_take_now_it_gets_later_and_once(scene: &mut Scene) {
    let phone = scene.phone("bob", "phone").await;
    scene.fake.fault(Service::Apns, Rule::once(Fault::retry_after(429, "2")));
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    let began = Instant::now();
    ann.say_to("bob", "one").await;
    scene.rings(&phone, "one").await;
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    let (android, browser) = (scene.android("bob", "android").await, scene.browser("bob", "browser").await);
    for service in [Service::Apns, Service::Fcm, Service::Webpush] {
        for fault in [Fault::status(503), Fault::Reset, Fault::Goaway] {
            scene.fake.fault(service, Rule::once(fault));
        }
    }
    ann.say_to("bob", "two").await;
    for phone in [&phone, &android, &browser] {
        scene.rings(phone, "two").await;
        assert_eq!(scene.fake.phone(phone).unwrap().repeats, 0);
    }
    let shown = scene.fake.phone(&phone).unwrap();
    assert_eq!((shown.alerts.len(), shown.rings), (2, 2));
}

async fn what_the_provider_refuses_goes_to_the_dead_letters(scene: &mut Scene) {
    let phone = scene.phone("bob", "phone").await;
    let browser = scene.browser("cat", "browser").await;
    scene.fake.fault(Service::Apns, Rule::once(Fault::reason(400, "BadTopic")));
    scene.fake.fault(Service::Webpush, Rule::once(Fault::status(413)));
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    ann.say_to("bob", "one").await;
    ann.say_to("cat", "one").await;
    let deadline = Instant::now() + SOON;
    loop {
        let servers = scene.world.servers.iter().chain(&scene.world.pushers);
        let mut dead = 0.0;
        for server in servers {
            dead +=
                server.labelled_metric("tidings_dead_lettered_messages_total", "reason=\"provider\"").await;
        }
        if dead >= 2.0 {
            break;
        }
        assert!(Instant::now() < deadline, "{dead} dead letters");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ann.say_to("bob", "two").await;
    scene.rings(&phone, "two").await;
    scene.does_not_show(&phone, "one");
    ann.say_to("cat", "two").await;
    scene.rings(&browser, "two").await;
    scene.does_not_show(&browser, "one");
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
