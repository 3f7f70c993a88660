use std::time::{Duration, UNIX_EPOCH};

use super::support::*;
use crate::push::apns::{Apns, Authentication};
use crate::push::fake::{Fault, Rule, Service};
use crate::push::provider::{Platform, Provider as _, Source};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_provider_token_is_renewed_before_it_is_an_hour_old() {
    let bench = Bench::start().await;
    let apns = bench.apns();
    let push = bench.notification(Platform::Apns, &apns_token(1), 9, "lunch?");
    // The fake refuses tokens older than an hour and renewals within 20 minutes.
    for _ in 0..20 {
        assert_delivered(&apns.deliver(&push).await);
        bench.clock.pass(13 * MINUTE);
    }
    assert_eq!(bench.fake.requests(Service::Apns), 20);
    assert!(bench.fake.provider_tokens() >= 4);
}

#[tokio::test]
async fn a_refused_provider_token_is_renewed_once_and_the_push_repeated() {
    for reason in ["ExpiredProviderToken", "InvalidProviderToken"] {
        let bench = Bench::start().await;
        let apns = bench.apns();
        let push = bench.notification(Platform::Apns, &apns_token(1), 9, "lunch?");
        assert_delivered(&apns.deliver(&push).await);
        bench.clock.pass(MINUTE);
        bench.fake.fault(Service::Apns, Rule::once(Fault::reason(403, reason)));
        assert_delivered(&apns.deliver(&push).await);
        assert_eq!(bench.fake.requests(Service::Apns), 3);
    }
}

#[tokio::test]
async fn a_provider_token_that_is_refused_again_is_not_renewed_within_20_minutes() {
    let bench = Bench::start().await;
    let apns = bench.apns();
    let push = bench.notification(Platform::Apns, &apns_token(1), 9, "lunch?");
    let refuse = Rule::always(Fault::reason(403, "ExpiredProviderToken"));
    bench.fake.fault(Service::Apns, refuse);
    // The first token is replaced and refused again; from then on each attempt asks only once.
    let (label, reason, _) = told(&apns.deliver(&push).await);
    assert_eq!((label, reason.as_str()), ("retry", "ExpiredProviderToken"));
    assert_eq!(bench.fake.requests(Service::Apns), 2);
    bench.clock.pass(19 * MINUTE);
    assert_eq!(apns.deliver(&push).await.outcome.label(), "retry");
    assert_eq!(bench.fake.requests(Service::Apns), 3);
    bench.clock.pass(2 * MINUTE);
    assert_eq!(apns.deliver(&push).await.outcome.label(), "retry");
    assert_eq!(bench.fake.requests(Service::Apns), 5);
    bench.fake.clear_faults();
    assert_delivered(&apns.deliver(&push).await);
}

#[tokio::test]
async fn many_pushes_that_are_refused_together_share_one_renewal() {
    let bench = Bench::start().await;
    let apns = bench.apns();
    let push = bench.notification(Platform::Apns, &apns_token(1), 9, "lunch?");
    assert_delivered(&apns.deliver(&push).await);
    bench.clock.pass(MINUTE);
    let rule = Rule { times: Some(10), ..Rule::always(Fault::reason(403, "ExpiredProviderToken")) };
    bench.fake.fault(Service::Apns, rule);
    let all = futures_util::future::join_all((0..10).map(|_| apns.deliver(&push))).await;
    all.iter().for_each(assert_delivered);
    assert_eq!(bench.fake.requests(Service::Apns), 21);
    assert_eq!(bench.fake.provider_tokens(), 2);
}

#[tokio::test]
async fn a_rotated_key_is_used_without_a_restart() {
    let bench = Bench::start().await;
    let other = Bench::start().await;
    let key = bench.dir.path().join("rotated.p8");
    std::fs::copy(&other.fake.files.apns_key, &key).expect("a wrong key");
    let mut settings = bench.apns_settings();
    let Authentication::Token { key: source, .. } = &mut settings.authentication else {
        panic!("token authentication");
    };
    *source = Source::File(key.clone());
    let apns = Apns::with_clock(settings, bench.clock.clock()).expect("APNs").looking_always();
    let push = bench.notification(Platform::Apns, &apns_token(1), 9, "lunch?");
    let (label, reason, _) = told(&apns.deliver(&push).await);
    assert_eq!((label, reason.as_str()), ("retry", "InvalidProviderToken"));

    std::fs::copy(&bench.fake.files.apns_key, &key).expect("the right key");
    assert_delivered(&apns.deliver(&push).await);
}

#[tokio::test]
async fn a_client_certificate_works_without_a_token_and_says_when_it_ends() {
    let bench = Bench::start().await;
    let file = Source::File(bench.fake.files.apns_certificate.clone());
    let mut settings = bench.apns_settings();
    settings.authentication = Authentication::Certificate { chain: file.clone(), key: file };
    let apns = Apns::new(settings).expect("APNs");
    let push = bench.notification(Platform::Apns, &apns_token(1), 9, "lunch?");
    assert_delivered(&apns.deliver(&push).await);
    // The first second of 2049, as the fake signs it.
    let ends = UNIX_EPOCH + Duration::from_secs(2_493_072_000);
    assert_eq!(apns.credential_expiry(), Some(ends));
    assert_eq!(bench.apns().credential_expiry(), None);
}

#[tokio::test]
async fn a_new_client_certificate_is_presented_on_new_connections() {
    let bench = Bench::start().await;
    let other = Bench::start().await;
    let path = bench.dir.path().join("client.pem");
    std::fs::copy(&other.fake.files.apns_certificate, &path).expect("a foreign certificate");
    let file = Source::File(path.clone());
    let mut settings = bench.apns_settings();
    settings.authentication = Authentication::Certificate { chain: file.clone(), key: file };
    let apns = Apns::new(settings).expect("APNs").looking_always();
    let push = bench.notification(Platform::Apns, &apns_token(1), 9, "lunch?");
    assert_eq!(apns.deliver(&push).await.outcome.label(), "retry");
    std::fs::copy(&bench.fake.files.apns_certificate, &path).expect("our certificate");
    assert_delivered(&apns.deliver(&push).await);
}
