use std::time::Duration;

use super::support::*;
use crate::push::fake::{Fault, Rule, Service};
use crate::push::fcm::{Fcm, Project};
use crate::push::provider::{Platform, Provider as _, Source};

#[tokio::test]
async fn an_alert_is_on_the_phone_as_it_was_meant() {
    let bench = Bench::start().await;
    let push = bench.notification(Platform::Fcm, "phone-1", 9, "lunch?");
    assert_delivered(&bench.fcm().deliver(&push).await);
    let phone = bench.fake.phone("phone-1").expect("a phone");
    assert_eq!((phone.badge, phone.rings), (Some(3), 1));
    let shown = &phone.alerts[0];
    assert_eq!(shown.title.as_deref(), Some("Team"));
    assert_eq!(shown.body.as_deref(), Some("Ann: lunch?"));
    assert_eq!(shown.key, "00000000-0000-0000-0000-000000000009");
    // Everything in data is text, or the fake had refused it.
    assert_eq!(shown.data["seq"], "9");
    assert_eq!(shown.data["ack_token"], "ack-me");
}

#[tokio::test]
async fn a_data_only_project_carries_the_text_as_data() {
    let bench = Bench::start().await;
    let mut settings = bench.fcm_settings();
    settings.projects[0].data_only = true;
    let fcm = Fcm::new(settings).expect("FCM");
    let push = bench.notification(Platform::Fcm, "phone-1", 9, &"long ".repeat(2000));
    assert_delivered(&fcm.deliver(&push).await);
    let shown = &bench.fake.phone("phone-1").expect("a phone").alerts[0];
    assert!(shown.data["body"].as_str().expect("a body").ends_with('…'));
    assert_eq!(shown.data["title"], "Team");
}

#[tokio::test]
async fn a_clear_removes_what_was_read_and_corrects_the_badge() {
    let bench = Bench::start().await;
    let fcm = bench.fcm();
    let push = bench.notification(Platform::Fcm, "phone-1", 9, "lunch?");
    assert_delivered(&fcm.deliver(&push).await);
    assert_delivered(&fcm.deliver(&as_clear(push, 9)).await);
    let phone = bench.fake.phone("phone-1").expect("a phone");
    assert_eq!((phone.alerts.len(), phone.badge), (0, Some(0)));
}

#[tokio::test]
async fn every_answer_becomes_the_outcome_of_the_table() {
    let bench = Bench::start().await;
    let fcm = bench.fcm();
    let push = bench.notification(Platform::Fcm, "phone-1", 9, "lunch?");
    let cases = [
        (Fault::reason(404, "UNREGISTERED"), "token_invalid", "UNREGISTERED", None),
        (Fault::reason(403, "SENDER_ID_MISMATCH"), "quarantined", "SENDER_ID_MISMATCH", None),
        (Fault::retry_after(429, "7"), "retry", "QUOTA_EXCEEDED", Some(Duration::from_secs(7))),
        (Fault::status(500), "retry", "INTERNAL", None),
        (Fault::status(503), "retry", "UNAVAILABLE", None),
        (Fault::status(400), "rejected", "INVALID_ARGUMENT", None),
        (Fault::reason(403, "PERMISSION_DENIED"), "rejected", "PERMISSION_DENIED", None),
        (Fault::reason(404, "NOT_FOUND"), "rejected", "NOT_FOUND", None),
    ];
    for (fault, label, code, after) in cases {
        bench.fake.fault(Service::Fcm, Rule::once(fault.clone()));
        let (told_label, reason, told_after) = told(&fcm.deliver(&push).await);
        assert_eq!((told_label, told_after), (label, after), "{fault:?}");
        assert!(reason.starts_with(code), "{reason}");
    }
    // Google's general words only, and none at all.
    for (status, body, label) in [
        (
            404,
            r#"{"error": {"code": 404, "message": "Requested entity was not found.", "status": "NOT_FOUND"}}"#,
            "token_invalid",
        ),
        (404, "<html>404</html>", "rejected"),
        (404, r#"{"error": "not_found"}"#, "rejected"),
        (503, "", "retry"),
        (429, r#"{"error": {"message": null, "details": [7, {}]}}"#, "retry"),
    ] {
        let fault = Fault::Answer { status, reason: None, retry_after: None, body: Some(body.to_owned()) };
        bench.fake.fault(Service::Fcm, Rule::once(fault));
        assert_eq!(fcm.deliver(&push).await.outcome.label(), label, "{status} {body}");
    }
    assert_delivered(&fcm.deliver(&push).await);
    bench.fake.uninstall("phone-1").expect("a phone");
    assert_eq!(fcm.deliver(&push).await.outcome.label(), "token_invalid");
}

#[tokio::test]
async fn one_access_token_serves_all_until_shortly_before_it_ends() {
    let bench = Bench::start().await;
    let fcm = bench.fcm();
    let push = bench.notification(Platform::Fcm, "phone-1", 9, "lunch?");
    let all = futures_util::future::join_all((0..20).map(|_| fcm.deliver(&push))).await;
    all.iter().for_each(assert_delivered);
    assert_eq!(bench.fake.requests(Service::FcmToken), 1);
    bench.clock.pass(Duration::from_secs(3200));
    assert_delivered(&fcm.deliver(&push).await);
    assert_eq!(bench.fake.requests(Service::FcmToken), 1);
    bench.clock.pass(Duration::from_secs(200));
    assert_delivered(&fcm.deliver(&push).await);
    assert_eq!(bench.fake.requests(Service::FcmToken), 2);
}

#[tokio::test]
async fn a_refused_access_token_is_renewed_once_for_all_who_were_refused() {
    let bench = Bench::start().await;
    let fcm = bench.fcm();
    let push = bench.notification(Platform::Fcm, "phone-1", 9, "lunch?");
    assert_delivered(&fcm.deliver(&push).await);
    let rule = Rule { times: Some(5), ..Rule::always(Fault::status(401)) };
    bench.fake.fault(Service::Fcm, rule);
    let all = futures_util::future::join_all((0..5).map(|_| fcm.deliver(&push))).await;
    all.iter().for_each(assert_delivered);
    assert_eq!(bench.fake.requests(Service::FcmToken), 2);

    // Refused for ever: the push waits, and Google is not asked for a token again each time.
    bench.fake.fault(Service::Fcm, Rule::always(Fault::status(401)));
    for _ in 0..3 {
        let delivery = fcm.deliver(&push).await;
        assert_eq!((delivery.outcome.label(), delivery.credential), ("retry", true));
    }
    assert!(bench.fake.requests(Service::FcmToken) <= 3);
}

#[tokio::test]
async fn without_an_access_token_a_push_waits_and_the_others_share_the_failure() {
    let bench = Bench::start().await;
    let fcm = bench.fcm();
    let push = bench.notification(Platform::Fcm, "phone-1", 9, "lunch?");
    bench.fake.fault(Service::FcmToken, Rule::always(Fault::retry_after(503, "4")));
    let all = futures_util::future::join_all((0..10).map(|_| fcm.deliver(&push))).await;
    for delivery in &all {
        let (label, _, after) = told(delivery);
        assert_eq!((label, after), ("retry", Some(Duration::from_secs(4))));
        assert!(!delivery.credential, "Google is busy, our key is good");
    }
    assert_eq!(bench.fake.requests(Service::FcmToken), 1);
    bench.fake.clear_faults();
    bench.clock.pass(Duration::from_secs(2));
    assert_delivered(&fcm.deliver(&push).await);
}

#[tokio::test]
async fn an_app_is_served_by_its_own_project() {
    let bench = Bench::start().await;
    let other = Bench::start_with(|options| options.project_id = "second".to_owned()).await;
    let mut settings = bench.fcm_settings();
    settings.projects[0].app_ids = vec!["org.example.chat".to_owned()];
    settings.projects.push(Project {
        app_ids: vec!["org.example.second".to_owned()],
        service_account: Source::File(other.fake.files.fcm_service_account.clone()),
        project_id: None,
        data_only: false,
    });
    let fcm = Fcm::with_clock(settings, bench.clock.clock()).expect("FCM");
    let push = bench.notification(Platform::Fcm, "phone-1", 9, "lunch?");
    assert_delivered(&fcm.deliver(&push).await);
    let mut unknown = push.clone();
    unknown.device.app_id = Some("org.example.third".to_owned());
    assert_eq!(fcm.deliver(&unknown).await.outcome.label(), "quarantined");
    // The second project's token endpoint has another authority: it is asked, and not trusted.
    let mut second = push;
    second.device.app_id = Some("org.example.second".to_owned());
    assert_eq!(fcm.deliver(&second).await.outcome.label(), "retry");
    assert_eq!(bench.fake.requests(Service::FcmToken), 1);
}

#[tokio::test]
async fn a_rotated_service_account_is_used_without_a_restart() {
    let bench = Bench::start().await;
    let other = Bench::start().await;
    let path = bench.dir.path().join("rotated.json");
    // The right token endpoint with a key that it does not know.
    let read = |path: &std::path::Path| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
    };
    let right = read(&bench.fake.files.fcm_service_account);
    let mut wrong = right.clone();
    wrong["private_key"] = read(&other.fake.files.fcm_service_account)["private_key"].clone();
    std::fs::write(&path, wrong.to_string()).expect("write");
    let mut settings = bench.fcm_settings();
    settings.projects[0].service_account = Source::File(path.clone());
    let fcm = Fcm::with_clock(settings, bench.clock.clock()).expect("FCM").looking_always();
    let push = bench.notification(Platform::Fcm, "phone-1", 9, "lunch?");
    let delivery = fcm.deliver(&push).await;
    let (label, reason, _) = told(&delivery);
    assert_eq!((label, delivery.credential), ("retry", true));
    assert!(reason.contains("invalid_grant"), "{reason}");

    std::fs::write(&path, right.to_string()).expect("write");
    bench.clock.pass(Duration::from_secs(2));
    assert_delivered(&fcm.deliver(&push).await);
}

#[tokio::test]
async fn too_much_data_is_refused_unsent() {
    let bench = Bench::start().await;
    let push = with_huge_data(bench.notification(Platform::Fcm, "phone-1", 9, "lunch?"));
    assert_eq!(bench.fcm().deliver(&push).await.outcome.label(), "rejected");
    assert_eq!(bench.fake.requests(Service::Fcm), 0);
}
