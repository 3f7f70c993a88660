//! Tidings, configured for fakes of the providers that this test looks at.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidings::push::fake::{self, Handle, Options, Phone, Shown};
use tokio::time::Instant;

use crate::support::client::{Client, http};
use crate::support::server::Server;
use crate::support::stack::Stack;
use crate::support::world::World;

/// How long a user with a socket may take to acknowledge here.
pub const ACK_DEADLINE: Duration = Duration::from_secs(1);
/// How long anything may take that is to happen, on a machine that does other things too.
pub const SOON: Duration = Duration::from_secs(20);

pub struct Scene {
    pub world: World,
    pub fake: Handle,
    _files: TempDir,
}

impl Scene {
    pub async fn dev(settings: &[(&str, &str)]) -> Self {
        let (files, fake, own) = fakes().await;
        let world = World::dev(&merged(&own, settings)).await;
        Self { world, fake, _files: files }
    }

    pub async fn roles(settings: &[(&str, &str)]) -> Self {
        Self::roles_with(settings, |_| {}).await
    }

    /// `prepare` is called between the start of the fakes and that of the roles.
    pub async fn roles_with(settings: &[(&str, &str)], prepare: impl FnOnce(&Handle)) -> Self {
        let (files, fake, own) = fakes().await;
        prepare(&fake);
        let world = World::roles_with_push(&merged(&own, settings)).await;
        Self { world, fake, _files: files }
    }

    /// On services of the test's own.
    pub async fn roles_on(stack: &Stack, settings: &[(&str, &str)]) -> Self {
        let (files, fake, own) = fakes().await;
        let world = World::roles_with_push_on(stack, &merged(&own, settings)).await;
        Self { world, fake, _files: files }
    }

    pub fn here(&self) -> SocketAddr {
        self.world.here
    }

    pub fn there(&self) -> SocketAddr {
        self.world.there
    }

    /// The processes that take messages to phones: those to be killed.
    pub fn behind(&mut self) -> impl Iterator<Item = &mut Server> {
        let dev = self.world.workers.is_empty();
        let fronts = self.world.servers.iter_mut().filter(move |_| dev);
        fronts.chain(&mut self.world.workers).chain(&mut self.world.pushers)
    }

    /// A phone of this user; answers its token.
    pub async fn phone(&self, user: &str, device: &str) -> String {
        let token = format!("{:064x}", rand::random::<u128>());
        self.register(
            user,
            device,
            json!({"platform": "apns", "token": token, "app_id": "org.example.chat"}),
        )
        .await;
        token
    }

    /// An Android phone of this user; answers its token.
    pub async fn android(&self, user: &str, device: &str) -> String {
        let token = format!("fcm-{:032x}", rand::random::<u128>());
        self.register(user, device, json!({"platform": "fcm", "token": token, "app_id": "org.example.chat"}))
            .await;
        token
    }

    /// A browser of this user; answers the name of its phone.
    pub async fn browser(&self, user: &str, device: &str) -> String {
        let made = self.fake.subscribe(None).expect("a browser can subscribe");
        let token = made.subscription.to_string();
        self.register(user, device, json!({"platform": "webpush", "token": token})).await;
        made.phone
    }

    pub async fn register(&self, user: &str, device: &str, body: Value) {
        // A user who has never been here is made by the first request.
        http(self.there(), user, Method::GET, "/v1/me", None).await;
        let path = format!("/v1/devices/{device}");
        let (status, answer) = http(self.there(), user, Method::PUT, &path, Some(body)).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// What the phone shows once `enough` says so.
    pub async fn shows(&self, token: &str, what: &str, enough: impl Fn(&Phone) -> bool) -> Phone {
        let deadline = Instant::now() + SOON;
        loop {
            let phone = self.fake.phone(token);
            if let Some(phone) = phone.as_ref().filter(|phone| enough(phone)) {
                return phone.clone();
            }
            assert!(Instant::now() < deadline, "{what}: {phone:?}\n{}", self.logs());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The alert with this text.
    pub async fn rings(&self, token: &str, text: &str) -> Shown {
        let phone = self.shows(token, text, |phone| alert(phone, text).is_some()).await;
        alert(&phone, text).expect("it was just there").clone()
    }

    /// Nothing with this text is on the phone, though a message that was sent to it later is. For what is decided at once.
    pub fn does_not_show(&self, token: &str, text: &str) {
        let phone = self.fake.phone(token);
        assert!(phone.as_ref().and_then(|phone| alert(phone, text)).is_none(), "{phone:?}");
    }

    /// Waits until the stage decided so often this way, all its processes together.
    pub async fn decided(&self, decision: &str, count: f64) {
        let deadline = Instant::now() + SOON;
        loop {
            let mut sum = 0.0;
            for server in self.world.servers.iter().chain(&self.world.pushers) {
                let label = format!("decision=\"{decision}\"");
                sum += server.labelled_metric("tidings_push_decisions_total", &label).await;
            }
            if sum >= count {
                return;
            }
            assert!(Instant::now() < deadline, "{decision}: {sum} of {count}\n{}", self.logs());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until so many jobs for Apple are done with, and what they left is noted.
    pub async fn answered(&self, count: f64) {
        let deadline = Instant::now() + SOON;
        loop {
            let mut sum = 0.0;
            for server in self.world.servers.iter().chain(&self.world.pushers) {
                sum += server.labelled_metric("tidings_consumed_messages_total", "queue=\"push_apns\"").await;
            }
            if sum >= count {
                return;
            }
            assert!(Instant::now() < deadline, "{sum} of {count}\n{}", self.logs());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn logs(&self) -> String {
        let servers = self.world.servers.iter().chain(&self.world.workers).chain(&self.world.pushers);
        servers.map(Server::output).collect::<Vec<_>>().join("\n----\n")
    }
}

fn alert<'a>(phone: &'a Phone, text: &str) -> Option<&'a Shown> {
    phone.alerts.iter().find(|shown| shown.body.as_deref() == Some(text))
}

/// A group of these, made by the first.
pub async fn group(at: SocketAddr, members: &[&str]) -> String {
    for user in members {
        http(at, user, Method::GET, "/v1/me", None).await;
    }
    let body = json!({"kind": "group", "title": "Team", "member_ids": members});
    let (status, made) = http(at, members[0], Method::POST, "/v1/conversations", Some(body)).await;
    assert!((200..300).contains(&status), "{made}");
    made["id"].as_str().expect("an id").to_owned()
}

/// The conversation and seq of an entry that the sender hears of as `message`.
pub async fn place(client: &mut Client, text: &str) -> (String, i64) {
    let message = client.message(text).await;
    (message["conversation_id"].as_str().expect("an id").to_owned(), message["seq"].as_i64().expect("a seq"))
}

async fn fakes() -> (TempDir, Handle, Vec<(String, String)>) {
    let files = tempfile::tempdir().expect("a folder can be made");
    let fake = fake::run(Options::new(files.path())).await.expect("the fakes start");
    let mut own: Vec<(String, String)> =
        fake.settings.iter().map(|(name, value)| (name.replace('.', "__"), value.clone())).collect();
    own.push(("push__ack_deadline".to_owned(), format!("{}ms", ACK_DEADLINE.as_millis())));
    (files, fake, own)
}

fn merged<'a>(own: &'a [(String, String)], more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    own.iter().map(|(key, value)| (key.as_str(), value.as_str())).chain(more.iter().copied()).collect()
}
