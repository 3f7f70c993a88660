use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;

use super::support::*;
use crate::push::fake::{Fault, Rule, Service};
use crate::push::payload::ServerPush;
use crate::push::provider::{Outcome, Platform, Provider as _};

#[tokio::test]
async fn an_alert_is_on_the_phone_as_it_was_meant() {
    let bench = Bench::start().await;
    let apns = bench.apns();
    let token = apns_token(1);
    let push = bench.notification(Platform::Apns, &token, 9, "lunch?");
    assert_delivered(&apns.deliver(&push).await);

    let phone = bench.fake.phone(&token).expect("a phone");
    assert_eq!((phone.badge, phone.rings, phone.silent), (Some(3), 1, 0));
    assert_eq!(phone.app_id.as_deref(), Some("org.example.chat"));
    let shown = &phone.alerts[0];
    assert_eq!(shown.title.as_deref(), Some("Team"));
    assert_eq!(shown.body.as_deref(), Some("Ann: lunch?"));
    assert_eq!(shown.key, "00000000-0000-0000-0000-000000000009");
    assert_eq!(shown.thread.as_deref(), Some("00000000-0000-0000-0000-000000000001"));
    assert_eq!(shown.sound.as_deref(), Some("default"));
    assert_eq!(shown.data["type"], "message");
    assert_eq!(shown.data["seq"], 9);
    assert_eq!(shown.data["ack_token"], "ack-me");
    assert_eq!(shown.data["push_id"], push.id.to_string());
}

#[tokio::test]
async fn a_repeated_push_replaces_itself_and_a_clear_removes_it() {
    let bench = Bench::start().await;
    let apns = bench.apns();
    let token = apns_token(1);
    let push = bench.notification(Platform::Apns, &token, 9, "lunch?");
    assert_delivered(&apns.deliver(&push).await);
    assert_delivered(&apns.deliver(&push).await);
    let phone = bench.fake.phone(&token).expect("a phone");
    assert_eq!((phone.alerts.len(), phone.repeats), (1, 1));

    assert_delivered(&apns.deliver(&as_clear(push, 9)).await);
    let phone = bench.fake.phone(&token).expect("a phone");
    assert_eq!((phone.alerts.len(), phone.silent, phone.badge), (0, 1, Some(0)));
}

#[tokio::test]
async fn every_answer_becomes_the_outcome_of_the_table() {
    let bench = Bench::start().await;
    let apns = bench.apns();
    let token = apns_token(1);
    let push = bench.notification(Platform::Apns, &token, 9, "lunch?");
    let two = Some(Duration::from_secs(2));
    let cases = [
        (Fault::reason(410, "Unregistered"), "token_invalid", "Unregistered", None),
        (Fault::reason(410, "ExpiredToken"), "token_invalid", "ExpiredToken", None),
        (Fault::reason(400, "BadDeviceToken"), "token_invalid", "BadDeviceToken", None),
        (Fault::reason(400, "DeviceTokenNotForTopic"), "quarantined", "DeviceTokenNotForTopic", None),
        (Fault::status(429), "retry", "TooManyRequests", None),
        (Fault::retry_after(429, "2"), "retry", "TooManyRequests", two),
        (Fault::status(500), "retry", "InternalServerError", None),
        (Fault::status(503), "retry", "ServiceUnavailable", None),
        (Fault::retry_after(503, "2"), "retry", "ServiceUnavailable", two),
        (Fault::reason(400, "BadTopic"), "rejected", "BadTopic", None),
        (Fault::reason(403, "BadCertificate"), "rejected", "BadCertificate", None),
        (Fault::status(413), "rejected", "PayloadTooLarge", None),
    ];
    for (fault, label, reason, after) in cases {
        bench.fake.fault(Service::Apns, Rule::once(fault.clone()));
        let delivery = apns.deliver(&push).await;
        assert_eq!(told(&delivery), (label, reason.to_owned(), after), "{fault:?}");
        let answer = delivery.answer.expect("the provider's own words");
        assert!(answer.body.contains(reason), "{answer:?}");
    }
    assert_delivered(&apns.deliver(&push).await);
}

#[tokio::test]
async fn an_answer_that_is_not_in_apples_words_still_counts_by_its_status() {
    let bench = Bench::start().await;
    let apns = bench.apns();
    let push = bench.notification(Platform::Apns, &apns_token(1), 9, "lunch?");
    for (status, body, label) in [
        (200, "{\"ok\": true}", "delivered"),
        (410, "", "token_invalid"),
        (410, r#"{"reason": "Unregistered", "timestamp": "yesterday"}"#, "token_invalid"),
        (400, r#"{"reason": "DeviceTokenNotForTopic", "timestamp": null}"#, "quarantined"),
        (503, "<html>", "retry"),
        (400, "", "rejected"),
    ] {
        let fault = Fault::Answer { status, reason: None, retry_after: None, body: Some(body.to_owned()) };
        bench.fake.fault(Service::Apns, Rule::once(fault));
        assert_eq!(apns.deliver(&push).await.outcome.label(), label, "{status} {body}");
    }
}

#[tokio::test]
async fn a_retry_after_may_be_a_date() {
    let bench = Bench::start().await;
    let date = httpdate::fmt_http_date(bench.clock.now() + Duration::from_secs(90));
    bench.fake.fault(Service::Apns, Rule::once(Fault::retry_after(503, &date)));
    let push = bench.notification(Platform::Apns, &apns_token(1), 9, "lunch?");
    let (_, _, after) = told(&bench.apns().deliver(&push).await);
    assert_eq!(after, Some(Duration::from_secs(90)));
}

#[tokio::test]
async fn a_word_about_a_token_that_is_older_than_its_registration_does_not_kill_it() {
    let bench = Bench::start().await;
    let apns = bench.apns();
    let push = bench.notification(Platform::Apns, &apns_token(1), 9, "lunch?");
    let registered = push.device.registered_at.duration_since(UNIX_EPOCH).expect("after 1970");
    let registered = u64::try_from(registered.as_millis()).expect("milliseconds");
    for (timestamp, label) in [(registered - 1, "retry"), (registered + 1, "token_invalid")] {
        let body = json!({"reason": "Unregistered", "timestamp": timestamp}).to_string();
        let fault = Fault::Answer { status: 410, reason: None, retry_after: None, body: Some(body) };
        bench.fake.fault(Service::Apns, Rule::once(fault));
        assert_eq!(apns.deliver(&push).await.outcome.label(), label);
    }
}

#[tokio::test]
async fn an_app_that_is_gone_and_a_topic_that_is_not_its_own_are_told_apart() {
    let bench = Bench::start().await;
    let apns = bench.apns();
    let token = apns_token(1);
    let push = bench.notification(Platform::Apns, &token, 9, "lunch?");
    assert_delivered(&apns.deliver(&push).await);
    let mut other = push.clone();
    other.device.app_id = Some("org.example.other".to_owned());
    assert_eq!(apns.deliver(&other).await.outcome.label(), "quarantined");
    bench.fake.uninstall(&token).expect("a phone");
    assert_eq!(apns.deliver(&push).await.outcome.label(), "token_invalid");
    let nonsense = bench.notification(Platform::Apns, "no/../token?", 9, "lunch?");
    assert_eq!(told(&apns.deliver(&nonsense).await).1, "BadDeviceToken");
}

#[tokio::test]
async fn a_bad_token_is_dead_only_in_the_environment_that_it_belongs_to() {
    let bench = Bench::start().await;
    let sandbox = bench.fake.apns_url.replace("127.0.0.1", "localhost");
    let apns = bench.apns().with_hosts(&bench.fake.apns_url, &sandbox);
    let mut push = bench.notification(Platform::Apns, &apns_token(1), 9, "lunch?");
    let bad = |times| {
        let rule = Rule::always(Fault::reason(400, "BadDeviceToken"));
        bench.fake.fault(Service::Apns, Rule { times: Some(times), ..rule });
    };
    bad(1);
    assert_eq!(apns.deliver(&push).await.outcome.label(), "token_invalid");
    assert_eq!(bench.fake.requests(Service::Apns), 1);

    push.device.environment = None;
    bad(1);
    assert_delivered(&apns.deliver(&push).await);
    assert_eq!(bench.fake.requests(Service::Apns), 3);
    bad(2);
    assert_eq!(apns.deliver(&push).await.outcome.label(), "token_invalid");
    assert_eq!(bench.fake.requests(Service::Apns), 5);
}

#[tokio::test]
async fn a_device_without_an_app_id_gets_the_default_topic_or_is_set_aside() {
    let bench = Bench::start().await;
    let mut push = bench.notification(Platform::Apns, &apns_token(1), 9, "lunch?");
    push.device.app_id = None;
    assert_eq!(bench.apns().deliver(&push).await.outcome.label(), "quarantined");

    let mut settings = bench.apns_settings();
    settings.default_topic = Some("org.example.default".to_owned());
    let apns = crate::push::apns::Apns::new(settings).expect("APNs");
    assert_delivered(&apns.deliver(&push).await);
    let phone = bench.fake.phone(&apns_token(1)).expect("a phone");
    assert_eq!(phone.app_id.as_deref(), Some("org.example.default"));
}

#[tokio::test]
async fn long_text_is_cut_to_fit_and_too_much_data_is_refused_unsent() {
    let bench = Bench::start().await;
    let apns = bench.apns();
    let token = apns_token(1);
    let push = bench.notification(Platform::Apns, &token, 9, &"👩‍🚀 \"quoted\" ".repeat(400));
    assert_delivered(&apns.deliver(&push).await);
    let phone = bench.fake.phone(&token).expect("a phone");
    let shown = phone.alerts[0].body.as_deref().expect("a body");
    let kept = shown.strip_suffix('…').expect("an ellipsis");
    assert!(body_of(&push).starts_with(kept) && kept.len() > 2000, "{} bytes", kept.len());

    let before = bench.fake.requests(Service::Apns);
    let delivery = apns.deliver(&with_huge_data(push)).await;
    assert!(matches!(delivery.outcome, Outcome::Rejected { .. }), "{delivery:?}");
    assert_eq!(bench.fake.requests(Service::Apns), before);
}

#[tokio::test]
async fn the_servers_own_words_and_data_reach_the_phone() {
    let bench = Bench::start().await;
    let apns = bench.apns();
    let token = apns_token(1);
    let server =
        json!({"title": "Order 7", "body": "ready", "sound": "bell.caf", "data": {"link": "app://7"}});
    let server = ServerPush::parse(&server).expect("a push");
    let push = bench.notification(Platform::Apns, &token, 9, "lunch?");
    assert_delivered(&apns.deliver(&with_server_push(push, &server)).await);
    let shown = &bench.fake.phone(&token).expect("a phone").alerts[0];
    assert_eq!((shown.title.as_deref(), shown.sound.as_deref()), (Some("Order 7"), Some("bell.caf")));
    assert_eq!(shown.data["link"], "app://7");
}
