use serde_json::{Value, json};

use super::support::*;
use crate::push::provider::{Platform, Provider as _};

async fn get(bench: &Bench, path: &str) -> (u16, Value) {
    let url = format!("{}{path}", bench.fake.control_url);
    let response = reqwest::get(url).await.expect("an answer");
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or(Value::Null))
}

async fn post(bench: &Bench, path: &str, body: Value) -> (u16, Value) {
    let url = format!("{}{path}", bench.fake.control_url);
    let request = reqwest::Client::new().post(url).json(&body);
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or(Value::Null))
}

#[tokio::test]
async fn phones_and_counters_are_read_over_http() {
    let bench = Bench::start().await;
    let token = apns_token(1);
    assert_eq!(get(&bench, &format!("/phones/{token}")).await.0, 404);
    let push = bench.notification(Platform::Apns, &token, 9, "lunch?");
    assert_delivered(&bench.apns().deliver(&push).await);
    let (status, phone) = get(&bench, &format!("/phones/{token}")).await;
    assert_eq!((status, &phone["badge"]), (200, &json!(3)));
    assert_eq!(phone["alerts"][0]["title"], "Team");
    let (_, all) = get(&bench, "/phones").await;
    assert_eq!(all["phones"].as_array().map(Vec::len), Some(1));
    let (_, counts) = get(&bench, "/requests").await;
    assert_eq!(counts["apns"], json!({"requests": 1, "connections": 1}));
}

#[tokio::test]
async fn faults_are_ordered_and_browsers_subscribe_over_http() {
    let bench = Bench::start().await;
    let rule = json!({"fault": {"answer": {"status": 503, "retry_after": "9"}}, "times": 1});
    assert_eq!(post(&bench, "/faults/apns", rule).await.0, 204);
    assert_eq!(post(&bench, "/faults/nobody", json!({"fault": "reset"})).await.0, 400);
    let push = bench.notification(Platform::Apns, &apns_token(1), 9, "lunch?");
    assert_eq!(bench.apns().deliver(&push).await.outcome.label(), "retry");

    let (status, subscribed) = post(&bench, "/subscriptions", json!({})).await;
    assert_eq!(status, 201);
    let token = subscribed["subscription"].to_string();
    let push = bench.notification(Platform::Webpush, &token, 9, "lunch?");
    assert_delivered(&bench.webpush().deliver(&push).await);
    let phone = subscribed["phone"].as_str().expect("a phone");
    assert_eq!(get(&bench, &format!("/phones/{phone}")).await.1["rings"], 1);
}

#[tokio::test]
async fn an_app_is_uninstalled_over_http_and_its_token_is_dead_from_then_on() {
    let bench = Bench::start().await;
    let (apns, token) = (bench.apns(), apns_token(1));
    let url = format!("{}/phones/{token}", bench.fake.control_url);
    let uninstall = async || {
        let request = reqwest::Client::new().delete(&url);
        request.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(uninstall().await, 404);
    let push = bench.notification(Platform::Apns, &token, 9, "lunch?");
    assert_delivered(&apns.deliver(&push).await);
    assert_eq!(uninstall().await, 204);
    assert_eq!(apns.deliver(&push).await.outcome.label(), "token_invalid");
}

#[tokio::test]
async fn the_environment_file_names_the_settings_of_the_configuration() {
    let bench = Bench::start().await;
    let lines = std::fs::read_to_string(&bench.fake.files.environment).expect("a file");
    for name in [
        "APNS__BASE_URL",
        "APNS__KEY_FILE",
        "APNS__KEY_ID",
        "APNS__TEAM_ID",
        "APNS__CA_FILE",
        "FCM__BASE_URL",
        "FCM__SERVICE_ACCOUNT_FILE",
        "FCM__CA_FILE",
    ] {
        assert!(lines.lines().any(|line| line.starts_with(&format!("TIDINGS__{name}="))), "{name}");
    }
}

#[tokio::test]
async fn stopped_fakes_accept_nothing_more() {
    let bench = Bench::start().await;
    let apns = bench.apns();
    let push = bench.notification(Platform::Apns, &apns_token(1), 9, "lunch?");
    assert_delivered(&apns.deliver(&push).await);
    let address = bench.fake.control_url.trim_start_matches("http://").to_owned();
    bench.fake.stop().await;
    assert!(tokio::net::TcpStream::connect(&address).await.is_err());
    assert_eq!(apns.deliver(&push).await.outcome.label(), "retry");
}
