use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;

use super::support::*;
use crate::fanout::FanoutError;
use crate::push::apns::{Apns, Authentication};
use crate::push::fake::{Fault, Rule, Service};
use crate::push::provider::{Platform, Provider as _, SharedCredentials, Source};

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
async fn processes_and_their_restarts_share_one_token_and_its_renewals() {
    let bench = Bench::start().await;
    let kept: Arc<dyn SharedCredentials> = Arc::new(Kept::default());
    let started = || bench.apns().sharing(Arc::clone(&kept));
    let push = bench.notification(Platform::Apns, &apns_token(1), 9, "lunch?");
    // One that was killed, and two that run.
    assert_delivered(&started().deliver(&push).await);
    bench.clock.pass(MINUTE);
    let (one, other) = (started(), started());
    assert_delivered(&one.deliver(&push).await);
    assert_delivered(&other.deliver(&push).await);
    assert_eq!(bench.fake.provider_tokens(), 1);

    bench.clock.pass(50 * MINUTE);
    let both = futures_util::future::join(one.deliver(&push), other.deliver(&push)).await;
    [both.0, both.1].iter().for_each(assert_delivered);
    assert_eq!(bench.fake.provider_tokens(), 2);

    bench.clock.pass(MINUTE);
    bench.fake.fault(Service::Apns, Rule::once(Fault::reason(403, "ExpiredProviderToken")));
    assert_delivered(&one.deliver(&push).await);
    for apns in [&one, &other, &started()] {
        assert_delivered(&apns.deliver(&push).await);
    }
    assert_eq!(bench.fake.provider_tokens(), 3);
}

#[tokio::test]
async fn a_process_whose_clock_is_ahead_does_not_keep_the_others_from_a_token() {
    let bench = Bench::start().await;
    let kept: Arc<dyn SharedCredentials> = Arc::new(Kept::default());
    let of = |clock: &ManualClock| {
        Apns::with_clock(bench.apns_settings(), clock.clock()).expect("APNs").sharing(Arc::clone(&kept))
    };
    let ahead = ManualClock::new();
    ahead.pass(60 * MINUTE);
    let push = bench.notification(Platform::Apns, &apns_token(1), 9, "lunch?");
    let wrong = of(&ahead);
    // Refused, and by its clock it may sign again; both of its tokens are shared.
    for _ in 0..2 {
        assert_ne!(wrong.deliver(&push).await.outcome.label(), "delivered");
        ahead.pass(21 * MINUTE);
    }
    assert_delivered(&of(&bench.clock).deliver(&push).await);
}

#[tokio::test]
async fn a_process_that_signed_for_itself_takes_the_token_of_the_others_when_apple_wants_no_more_of_them() {
    let bench = Bench::start().await;
    let kept: Arc<dyn SharedCredentials> = Arc::new(Kept::default());
    let push = bench.notification(Platform::Apns, &apns_token(1), 9, "lunch?");
    let late = bench.apns().sharing(Arc::new(Away(AtomicBool::new(true), Arc::clone(&kept))));
    assert_delivered(&bench.apns().sharing(Arc::clone(&kept)).deliver(&push).await);
    assert_delivered(&late.deliver(&push).await);
    assert_eq!(bench.fake.provider_tokens(), 1);
    // Nothing is shared: refused, and it says that the credential is why.
    let alone = bench.apns().deliver(&push).await;
    assert_eq!(told(&alone).1, "TooManyProviderTokenUpdates");
    assert!(alone.credential);
}

/// Away the first time that it is asked.
struct Away(AtomicBool, Arc<dyn SharedCredentials>);

#[async_trait::async_trait]
impl SharedCredentials for Away {
    async fn load(&self, name: &str) -> Result<Option<Bytes>, FanoutError> {
        if self.0.swap(false, Ordering::Relaxed) {
            return Err(FanoutError::Unavailable { message: "away".to_owned(), source: None });
        }
        self.1.load(name).await
    }

    async fn swap(&self, _: &str, _: Option<Bytes>, _: Bytes, _: Duration) -> Result<bool, FanoutError> {
        panic!("what others share is not overwritten")
    }
}

#[tokio::test]
async fn a_token_that_is_refused_in_the_second_of_its_signing_is_followed_by_one_of_a_later_second() {
    let bench = Bench::start().await;
    let apns = bench.apns();
    let push = bench.notification(Platform::Apns, &apns_token(1), 9, "lunch?");
    bench.fake.fault(Service::Apns, Rule::once(Fault::reason(403, "InvalidProviderToken")));
    let began = std::time::Instant::now();
    assert_delivered(&apns.deliver(&push).await);
    assert!(
        began.elapsed() >= Duration::from_millis(900),
        "signed in the same second: {:?}",
        began.elapsed()
    );
    assert_eq!(bench.fake.requests(Service::Apns), 2);
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
async fn a_second_key_takes_over_with_its_id_and_the_first_may_be_revoked() {
    let bench = Bench::start().await;
    let [key, id] = ["key.p8", "key-id"].map(|name| bench.dir.path().join(name));
    std::fs::copy(&bench.fake.files.apns_key, &key).expect("the first key");
    std::fs::write(&id, format!("{}\n", bench.fake.files.apns_key_id)).expect("its id");
    let mut settings = bench.apns_settings();
    let team_id = bench.fake.files.apns_team_id.clone();
    settings.authentication =
        Authentication::Token { key: Source::File(key.clone()), key_id: Source::File(id.clone()), team_id };
    let kept: Arc<dyn SharedCredentials> = Arc::new(Kept::default());
    let apns = Apns::with_clock(settings, bench.clock.clock()).expect("APNs").sharing(kept).looking_always();
    let push = bench.notification(Platform::Apns, &apns_token(1), 9, "lunch?");
    assert_delivered(&apns.deliver(&push).await);

    // Within 20 minutes of the first token: another key has tokens of its own.
    let second = bench.fake.new_apns_key("SECONDKEY1").expect("a key");
    std::fs::write(&key, &second.file).expect("the second key");
    std::fs::write(&id, &second.id).expect("its id");
    assert_delivered(&apns.deliver(&push).await);
    bench.fake.revoke_apns_key(&bench.fake.files.apns_key_id);
    assert_delivered(&apns.deliver(&push).await);
    assert_eq!((bench.fake.requests(Service::Apns), bench.fake.provider_tokens()), (3, 2));
    assert_eq!(bench.apns().deliver(&push).await.outcome.label(), "retry", "the first one is refused");
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
