//! Pushes that a test sends itself, by the real provider, to fakes that run in another process.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime};

use tidings::push::apns::{Apns, Authentication, Settings};
use tidings::push::provider::{
    Alert, HttpSettings, Kind, Notification, Outcome, Platform, Priority, Provider as _, Secret, Source,
    Target,
};

/// The settings of a `tidings.env`, by variable.
pub fn settings(lines: &str) -> HashMap<String, String> {
    let pairs = lines.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Apple's provider, configured as the environment says.
pub fn apns(settings: &HashMap<String, String>) -> Apns {
    let said = |name: &str| settings[&format!("TIDINGS__APNS__{name}")].clone();
    let authentication = Authentication::Token {
        key: Source::File(said("KEY_FILE").into()),
        key_id: Source::Inline(said("KEY_ID")),
        team_id: said("TEAM_ID"),
    };
    let http = HttpSettings { ca_file: Some(said("CA_FILE").into()), ..HttpSettings::default() };
    Apns::new(Settings { base_url: Some(said("BASE_URL")), http, ..Settings::new(authentication) })
        .expect("the files are good")
}

/// Rings the phone of this token about a message of this conversation.
pub async fn ring(apns: &Apns, token: &str, conversation: &str, body: &str) {
    let delivery = apns.deliver(&notification(token, conversation, body)).await;
    assert_eq!(delivery.outcome, Outcome::Delivered, "{:?}", delivery.answer);
}

/// An alert about a message of this conversation.
pub fn notification(token: &str, conversation: &str, body: &str) -> Notification {
    let now = SystemTime::now();
    let data = [
        ("conversation_id", conversation.into()),
        ("seq", 1.into()),
        ("type", "message".into()),
        ("ack_token", "a secret of the owner".into()),
    ];
    Notification {
        id: uuid::Uuid::new_v4(),
        device: Target {
            platform: Platform::Apns,
            token: Secret::new(token),
            app_id: Some("org.tidings.demo".to_owned()),
            environment: None,
            registered_at: now,
        },
        kind: Kind::Alert(Alert {
            title: Some("Ann".to_owned()),
            body: Some(body.to_owned()),
            ..Alert::default()
        }),
        badge: Some(7),
        data: BTreeMap::from(data.map(|(name, value): (&str, serde_json::Value)| (name.to_owned(), value))),
        ack_token: None,
        priority: Priority::High,
        expires_at: now + Duration::from_secs(60),
    }
}
