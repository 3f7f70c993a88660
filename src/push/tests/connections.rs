use std::time::Duration;

use futures_util::future::join_all;

use super::support::*;
use crate::push::apns::Apns;
use crate::push::fake::{Fault, Rule, Service};
use crate::push::provider::{Platform, Provider};

#[tokio::test]
async fn a_connection_that_is_reset_or_goes_away_is_a_retry_and_the_next_push_gets_a_new_one() {
    let bench = Bench::start().await;
    let browser = bench.fake.subscribe(None).expect("a subscription");
    let browser = browser.subscription.to_string();
    let cases: [(Service, Box<dyn Provider>, Platform, String); 3] = [
        (Service::Apns, Box::new(bench.apns()), Platform::Apns, apns_token(1)),
        (Service::Fcm, Box::new(bench.fcm()), Platform::Fcm, "phone-1".to_owned()),
        (Service::Webpush, Box::new(bench.webpush()), Platform::Webpush, browser),
    ];
    for (service, provider, platform, token) in cases {
        let push = bench.notification(platform, &token, 9, "lunch?");
        assert_delivered(&provider.deliver(&push).await);
        for fault in [Fault::Reset, Fault::Goaway] {
            bench.fake.fault(service, Rule::once(fault.clone()));
            let delivery = provider.deliver(&push).await;
            assert_eq!(delivery.outcome.label(), "retry", "{service:?} {fault:?} {delivery:?}");
            assert_eq!(delivery.answer, None);
            let reason = delivery.outcome.reason().expect("a reason");
            assert!(!reason.contains(&token), "{reason}");
            assert_delivered(&provider.deliver(&push).await);
        }
    }
}

#[tokio::test]
async fn goaway_in_the_middle_of_many_pushes_loses_none_of_them() {
    let bench = Bench::start().await;
    let apns = bench.apns();
    bench.fake.fault(Service::Apns, Rule::share(Fault::Goaway, 0.05));
    bench.fake.fault(Service::Apns, Rule::share(Fault::Reset, 0.05));
    let lost = Rule { delivered: true, ..Rule::share(Fault::Reset, 0.05) };
    bench.fake.fault(Service::Apns, lost);
    let token = apns_token(1);
    let pushes: Vec<_> =
        (1..=60).map(|number| bench.notification(Platform::Apns, &token, number, "lunch?")).collect();
    let deliver = async |push| {
        // Far more attempts than 15 % of failures need, so that a bug ends the test.
        for _ in 0..100 {
            match apns.deliver(push).await.outcome.label() {
                "delivered" => return,
                label => assert_eq!(label, "retry"),
            }
        }
        panic!("not delivered in 100 attempts");
    };
    join_all(pushes.iter().map(deliver)).await;
    let phone = bench.fake.phone(&token).expect("a phone");
    assert_eq!(phone.alerts.len(), 60, "every message is on the screen, once");
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_a_retry() {
    let bench = Bench::start().await;
    let mut settings = bench.apns_settings();
    settings.http.request_timeout = Duration::from_millis(200);
    let apns = Apns::with_clock(settings, bench.clock.clock()).expect("APNs");
    let push = bench.notification(Platform::Apns, &apns_token(1), 9, "lunch?");
    assert_delivered(&apns.deliver(&push).await);
    bench.fake.fault(Service::Apns, Rule::once(Fault::Slow(60_000)));
    let (label, reason, _) = told(&apns.deliver(&push).await);
    assert_eq!((label, reason.as_str()), ("retry", "time-out"));
    assert_delivered(&apns.deliver(&push).await);
}

#[tokio::test]
async fn a_provider_that_is_not_there_or_not_trusted_is_a_retry() {
    let bench = Bench::start().await;
    let push = bench.notification(Platform::Apns, &apns_token(1), 9, "lunch?");
    let mut settings = bench.apns_settings();
    settings.http.ca_file = None;
    let apns = Apns::new(settings).expect("APNs");
    let (label, reason, _) = told(&apns.deliver(&push).await);
    assert_eq!(label, "retry");
    assert!(reason.starts_with("cannot connect"), "{reason}");
    assert_eq!(bench.fake.requests(Service::Apns), 0);

    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = format!("https://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let mut settings = bench.apns_settings();
    settings.base_url = Some(nobody);
    let apns = Apns::new(settings).expect("APNs");
    assert_eq!(apns.deliver(&push).await.outcome.label(), "retry");
}

#[tokio::test]
async fn pushes_share_one_connection_until_its_streams_run_out() {
    let bench = Bench::start_with(|options| options.max_streams = 4).await;
    let mut settings = bench.apns_settings();
    settings.streams_per_connection = 4;
    settings.connections = 3;
    let apns = Apns::with_clock(settings, bench.clock.clock()).expect("APNs");
    let push = bench.notification(Platform::Apns, &apns_token(1), 9, "lunch?");
    for _ in 0..5 {
        assert_delivered(&apns.deliver(&push).await);
    }
    assert_eq!(bench.fake.connections(Service::Apns), 1);

    bench.fake.fault(Service::Apns, Rule::always(Fault::Slow(100)));
    let all = join_all((0..20).map(|_| apns.deliver(&push))).await;
    all.iter().for_each(assert_delivered);
    assert_eq!(bench.fake.connections(Service::Apns), 3);
}
