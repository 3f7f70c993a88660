use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

use crate::fanout::FanoutError;
use crate::push::apns::{Apns, Authentication, Settings as ApnsSettings};
use crate::push::fake::{self, Handle, Options};
use crate::push::fcm::{Fcm, Settings as FcmSettings};
use crate::push::payload::{Occasion, ServerPush, Style, Why, build};
use crate::push::provider::{
    Clock, Delivery, Environment, HttpSettings, Kind, Notification, Outcome, Platform, Secret,
    SharedCredentials, Source, Target, notification_id,
};
use crate::push::webpush::{Settings as WebPushSettings, WebPush};

/// A clock that stands until it is moved.
#[derive(Clone)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    pub fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        Self(Arc::new(AtomicU64::new(now.as_secs())))
    }

    pub fn clock(&self) -> Clock {
        let seconds = Arc::clone(&self.0);
        Arc::new(move || UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::SeqCst)))
    }

    pub fn now(&self) -> SystemTime {
        (self.clock())()
    }

    pub fn pass(&self, time: Duration) {
        self.0.fetch_add(time.as_secs(), Ordering::SeqCst);
    }
}

/// What processes share, without anything that outlives this one.
#[derive(Default)]
pub struct Kept(Mutex<BTreeMap<String, Bytes>>);

#[async_trait::async_trait]
impl SharedCredentials for Kept {
    async fn load(&self, name: &str) -> Result<Option<Bytes>, FanoutError> {
        Ok(self.0.lock().expect("no panic").get(name).cloned())
    }

    async fn swap(
        &self,
        name: &str,
        old: Option<Bytes>,
        new: Bytes,
        _: Duration,
    ) -> Result<bool, FanoutError> {
        let mut kept = self.0.lock().expect("no panic");
        let same = kept.get(name) == old.as_ref();
        if same {
            kept.insert(name.to_owned(), new);
        }
        Ok(same)
    }
}

/// Running fakes and a clock that they and the providers share.
pub struct Bench {
    pub fake: Handle,
    pub clock: ManualClock,
    pub dir: TempDir,
}

impl Bench {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub async fn start_with(change: impl FnOnce(&mut Options)) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let clock = ManualClock::new();
        let mut options = Options { clock: clock.clock(), ..Options::new(dir.path()) };
        change(&mut options);
        let fake = fake::run(options).await.expect("the fakes start");
        Self { fake, clock, dir }
    }

    pub fn http(&self) -> HttpSettings {
        HttpSettings {
            ca_file: Some(self.fake.files.ca.clone()),
            request_timeout: Duration::from_secs(5),
            ..HttpSettings::default()
        }
    }

    pub fn apns_settings(&self) -> ApnsSettings {
        let files = &self.fake.files;
        let authentication = Authentication::Token {
            key: Source::File(files.apns_key.clone()),
            key_id: Source::Inline(files.apns_key_id.clone()),
            team_id: files.apns_team_id.clone(),
        };
        ApnsSettings {
            base_url: Some(self.fake.apns_url.clone()),
            http: self.http(),
            ..ApnsSettings::new(authentication)
        }
    }

    pub fn apns(&self) -> Apns {
        Apns::with_clock(self.apns_settings(), self.clock.clock()).expect("APNs")
    }

    pub fn fcm_settings(&self) -> FcmSettings {
        let account = Source::File(self.fake.files.fcm_service_account.clone());
        FcmSettings {
            base_url: Some(self.fake.fcm_url.clone()),
            http: self.http(),
            ..FcmSettings::new(account)
        }
    }

    pub fn fcm(&self) -> Fcm {
        Fcm::with_clock(self.fcm_settings(), self.clock.clock()).expect("FCM")
    }

    pub fn webpush_settings(&self) -> WebPushSettings {
        let key = Source::File(self.fake.files.vapid_key.clone());
        WebPushSettings {
            allowed_hosts: vec!["127.0.0.1".to_owned()],
            http: self.http(),
            ..WebPushSettings::new(key, "mailto:push@example.org")
        }
    }

    pub fn webpush(&self) -> WebPush {
        WebPush::with_clock(self.webpush_settings(), self.clock.clock()).expect("Web Push")
    }

    /// A push about message `number` to this token; `text` is its text.
    pub fn notification(&self, platform: Platform, token: &str, number: u128, text: &str) -> Notification {
        let content = build(&occasion(number, text), &Style::default(), None);
        Notification {
            id: notification_id(Uuid::from_u128(number), "bob", token),
            device: Target {
                platform,
                token: Secret::new(token),
                app_id: Some("org.example.chat".to_owned()),
                environment: Some(Environment::Sandbox),
                registered_at: self.clock.now() - Duration::from_secs(3600),
            },
            kind: content.kind,
            badge: Some(3),
            data: content.data,
            ack_token: Some(Secret::new("ack-me")),
            priority: content.priority,
            expires_at: self.clock.now() + Duration::from_secs(3600),
        }
    }
}

fn occasion(number: u128, text: &str) -> Occasion {
    Occasion {
        why: Why::Group,
        conversation_id: Uuid::from_u128(1),
        conversation_title: Some("Team".to_owned()),
        message_id: Uuid::from_u128(number),
        seq: u64::try_from(number).expect("a small number"),
        sender_id: "ann".to_owned(),
        sender_name: "Ann".to_owned(),
        text: Some(text.to_owned()),
    }
}

/// The same push made silent, to clear what was read.
pub fn as_clear(mut notification: Notification, read_seq: u64) -> Notification {
    let content = crate::push::payload::clear(Uuid::from_u128(1), read_seq);
    notification.id = Uuid::new_v4();
    notification.kind = content.kind;
    notification.data = content.data;
    notification.ack_token = None;
    notification.badge = Some(0);
    notification
}

/// A push with data that no cut of the text makes small enough.
pub fn with_huge_data(mut notification: Notification) -> Notification {
    notification.data = BTreeMap::from([("x".to_owned(), json!("y".repeat(5000)))]);
    notification
}

/// The same with the server's own words, where it has any.
pub fn with_server_push(mut notification: Notification, server: &ServerPush) -> Notification {
    let content = build(&occasion(9, "ignored"), &Style::default(), Some(server));
    notification.kind = content.kind;
    notification.data = content.data;
    notification
}

/// A well-formed APNs token.
pub fn apns_token(number: u8) -> String {
    format!("{number:02x}").repeat(32)
}

pub fn body_of(notification: &Notification) -> &str {
    match &notification.kind {
        Kind::Alert(alert) => alert.body.as_deref().expect("a body"),
        Kind::Silent(_) => panic!("a silent push"),
    }
}

#[track_caller]
pub fn assert_delivered(delivery: &Delivery) {
    assert_eq!(delivery.outcome, Outcome::Delivered, "{:?}", delivery.answer);
}

/// The label of the outcome, the reason, and what the caller has to wait.
pub fn told(delivery: &Delivery) -> (&'static str, String, Option<Duration>) {
    let after = match &delivery.outcome {
        Outcome::Retry { after, .. } => *after,
        _ => None,
    };
    let reason = delivery.outcome.reason().unwrap_or_default().to_owned();
    (delivery.outcome.label(), reason, after)
}
