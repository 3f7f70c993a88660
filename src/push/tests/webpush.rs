use std::time::Duration;

use super::support::*;
use crate::push::fake::{Fault, NewSubscription, Rule, Service};
use crate::push::provider::{Notification, Platform, Provider as _, Secret, Source};
use crate::push::webpush::{Settings, WebPush};

fn push_to(bench: &Bench, browser: &NewSubscription, text: &str) -> Notification {
    let token = browser.subscription.to_string();
    bench.notification(Platform::Webpush, &token, 9, text)
}

#[tokio::test]
async fn an_alert_is_decrypted_by_the_browser_and_shown() {
    let bench = Bench::start().await;
    let webpush = bench.webpush();
    let key = webpush.application_server_key();
    let browser = bench.fake.subscribe(Some(key)).expect("a subscription");
    let push = push_to(&bench, &browser, "lunch?");
    assert_delivered(&webpush.deliver(&push).await);
    let phone = bench.fake.phone(&browser.phone).expect("a phone");
    assert_eq!((phone.badge, phone.rings, phone.undecryptable), (Some(3), 1, 0));
    let shown = &phone.alerts[0];
    assert_eq!(shown.title.as_deref(), Some("Team"));
    assert_eq!(shown.body.as_deref(), Some("Ann: lunch?"));
    assert_eq!(shown.key, "00000000-0000-0000-0000-000000000009");
    assert_eq!(shown.data["seq"], 9);

    assert_delivered(&webpush.deliver(&as_clear(push, 9)).await);
    let phone = bench.fake.phone(&browser.phone).expect("a phone");
    assert_eq!((phone.alerts.len(), phone.badge), (0, Some(0)));
}

#[tokio::test]
async fn every_answer_becomes_the_outcome_of_the_table() {
    let bench = Bench::start().await;
    let webpush = bench.webpush();
    let browser = bench.fake.subscribe(None).expect("a subscription");
    let push = push_to(&bench, &browser, "lunch?");
    let cases = [
        (Fault::status(404), "token_invalid", None),
        (Fault::status(410), "token_invalid", None),
        (Fault::retry_after(429, "3"), "retry", Some(Duration::from_secs(3))),
        (Fault::status(500), "retry", None),
        (Fault::status(503), "retry", None),
        (Fault::status(400), "rejected", None),
        (Fault::status(413), "rejected", None),
        (Fault::status(307), "rejected", None),
    ];
    for (fault, label, after) in cases {
        bench.fake.fault(Service::Webpush, Rule::once(fault.clone()));
        let (told_label, _, told_after) = told(&webpush.deliver(&push).await);
        assert_eq!((told_label, told_after), (label, after), "{fault:?}");
    }
    assert_delivered(&webpush.deliver(&push).await);
    bench.fake.uninstall(&browser.phone).expect("a phone");
    assert_eq!(webpush.deliver(&push).await.outcome.label(), "token_invalid");
}

#[tokio::test]
async fn a_subscription_of_another_server_is_refused_with_the_services_words() {
    let bench = Bench::start().await;
    let other = Bench::start().await;
    let key = other.webpush().application_server_key();
    let browser = bench.fake.subscribe(Some(key)).expect("a subscription");
    let push = push_to(&bench, &browser, "lunch?");
    let delivery = bench.webpush().deliver(&push).await;
    assert_eq!(delivery.outcome.label(), "quarantined");
    assert!(delivery.answer.expect("an answer").body.contains("key mismatch"));

    // In the words of each vendor; any other refusal is our fault.
    let (mismatch, google) = ("{\"reason\":\"VapidPkHashMismatch\"}", "the credentials do not correspond");
    let cases = [
        (Fault::reason(400, mismatch), "quarantined"),
        (Fault::reason(401, "VAPID public key mismatch"), "quarantined"),
        (Fault::reason(403, google), "quarantined"),
        (Fault::reason(403, "{\"reason\":\"BadJwtToken\"}"), "rejected"),
        (Fault::reason(404, mismatch), "token_invalid"),
    ];
    for (fault, label) in cases {
        bench.fake.fault(Service::Webpush, Rule::once(fault.clone()));
        assert_eq!(bench.webpush().deliver(&push).await.outcome.label(), label, "{fault:?}");
    }
}

#[tokio::test]
async fn a_subscription_of_an_older_key_is_reached_with_that_key() {
    let bench = Bench::start().await;
    let [old, new, strange] = [(); 3].map(|()| rcgen::KeyPair::generate().expect("a key pair"));
    let of = |keys: &[&rcgen::KeyPair]| {
        let text: String = keys.iter().map(|key| key.serialize_pem()).collect();
        let settings = Settings { key: Source::Inline(text), ..bench.webpush_settings() };
        WebPush::with_clock(settings, bench.clock.clock()).expect("Web Push")
    };
    let subscribed = |with: &WebPush| {
        let browser = bench.fake.subscribe(Some(with.application_server_key())).expect("a subscription");
        push_to(&bench, &browser, "lunch?")
    };
    let (before, after) = (of(&[&old]), of(&[&new, &old]));
    assert_eq!(after.application_server_key(), of(&[&new]).application_server_key());
    let (older, newer) = (subscribed(&before), subscribed(&after));
    // The new key is tried first, and which one it was is remembered.
    for (push, requests) in [(&older, 2), (&older, 3), (&newer, 4), (&newer, 5), (&older, 6)] {
        assert_delivered(&after.deliver(push).await);
        assert_eq!(bench.fake.requests(Service::Webpush), requests);
    }
    let neither = subscribed(&of(&[&strange]));
    assert_eq!(after.deliver(&neither).await.outcome.label(), "quarantined");
    assert_eq!(bench.fake.requests(Service::Webpush), 8);
    // What the right key is told is what counts.
    bench.fake.fault(Service::Webpush, Rule::once(Fault::reason(403, "the token names no contact")));
    let delivery = after.deliver(&newer).await;
    assert_eq!(told(&delivery), ("rejected", "status 403: the token names no contact".to_owned(), None));
    // With the old one taken away.
    assert_eq!(of(&[&new]).deliver(&older).await.outcome.label(), "quarantined");
}

#[tokio::test]
async fn an_endpoint_at_a_host_that_is_not_a_push_service_is_never_called() {
    let bench = Bench::start().await;
    let browser = bench.fake.subscribe(None).expect("a subscription");
    let key = Source::File(bench.fake.files.vapid_key.clone());
    let settings = Settings { http: bench.http(), ..Settings::new(key, "mailto:a@example.org") };
    let webpush = WebPush::new(settings).expect("Web Push");
    let delivery = webpush.deliver(&push_to(&bench, &browser, "lunch?")).await;
    assert_eq!(delivery.outcome.label(), "quarantined");
    assert_eq!(bench.fake.connections(Service::Webpush), 0);

    let mut garbage = push_to(&bench, &browser, "lunch?");
    garbage.device.token = Secret::new("garbage");
    assert_eq!(webpush.deliver(&garbage).await.outcome.label(), "token_invalid");
}

#[tokio::test]
async fn a_base_url_takes_the_place_of_the_endpoints_host() {
    let bench = Bench::start().await;
    let browser = bench.fake.subscribe(None).expect("a subscription");
    let mut push = push_to(&bench, &browser, "lunch?");
    let elsewhere = push.device.token.reveal().replace(&bench.fake.webpush_url, "https://push.example.org");
    push.device.token = Secret::new(elsewhere);
    let settings = Settings {
        base_url: Some(bench.fake.webpush_url.clone()),
        allowed_hosts: Vec::new(),
        ..bench.webpush_settings()
    };
    let webpush = WebPush::with_clock(settings, bench.clock.clock()).expect("Web Push");
    let delivery = webpush.deliver(&push).await;
    // It arrived; the token is made out to the endpoint's own origin, which this fake is not.
    assert!(delivery.answer.expect("an answer").body.contains("another origin"));
}

#[tokio::test]
async fn a_vapid_token_is_kept_and_renewed_before_it_ends() {
    let bench = Bench::start().await;
    let webpush = bench.webpush();
    let browser = bench.fake.subscribe(None).expect("a subscription");
    for _ in 0..5 {
        // The fake refuses tokens that have ended.
        assert_delivered(&webpush.deliver(&push_to(&bench, &browser, "lunch?")).await);
        bench.clock.pass(Duration::from_secs(7 * 3600));
    }
}

#[tokio::test]
async fn long_text_fills_a_message_to_the_last_byte_that_fits() {
    let bench = Bench::start().await;
    let webpush = bench.webpush();
    let browser = bench.fake.subscribe(None).expect("a subscription");
    let push = push_to(&bench, &browser, &"x".repeat(8000));
    assert_delivered(&webpush.deliver(&push).await);
    let shown = &bench.fake.phone(&browser.phone).expect("a phone").alerts[0];
    assert!(shown.body.as_deref().is_some_and(|body| body.ends_with("x…") && body.len() > 3000));
    let push = with_huge_data(push);
    assert_eq!(webpush.deliver(&push).await.outcome.label(), "rejected");
}

#[tokio::test]
async fn a_rotated_vapid_key_is_used_without_a_restart() {
    let bench = Bench::start().await;
    let other = Bench::start().await;
    let path = bench.dir.path().join("rotated.pem");
    std::fs::copy(&other.fake.files.vapid_key, &path).expect("another key");
    let settings = Settings { key: Source::File(path.clone()), ..bench.webpush_settings() };
    let webpush = WebPush::with_clock(settings, bench.clock.clock()).expect("Web Push");
    let webpush = webpush.looking_always();
    let key = bench.webpush().application_server_key();
    let browser = bench.fake.subscribe(Some(key)).expect("a subscription");
    let push = push_to(&bench, &browser, "lunch?");
    assert_eq!(webpush.deliver(&push).await.outcome.label(), "quarantined");
    std::fs::copy(&bench.fake.files.vapid_key, &path).expect("the right key");
    assert_delivered(&webpush.deliver(&push).await);
}
