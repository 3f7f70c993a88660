//! Messages that go on while something is replaced: each that was accepted has to be stored once, in order, and to ring.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

use crate::push::scene::Scene;
use crate::support::client::{SOON, http, token};

/// A setting with which no alert becomes a part of a summary.
pub const EACH_RINGS: (&str, &str) = ("push__burst", "100000");
const PAUSE: Duration = Duration::from_millis(150);

/// Ann, who writes to each of these in turn, at one gateway and then the other.
pub struct Ringing {
    /// Users and the phones that are to ring.
    to: Vec<(&'static str, String)>,
    /// In all of its texts.
    mark: String,
    stop: watch::Sender<bool>,
    accepted: watch::Receiver<usize>,
    writer: JoinHandle<BTreeMap<&'static str, Said>>,
}

/// What one of them was told.
#[derive(Default)]
struct Said {
    conversation: String,
    texts: Vec<String>,
}

impl Ringing {
    pub fn start(scene: &Scene, to: &[(&'static str, &str)]) -> Self {
        let mark = Uuid::new_v4().simple().to_string();
        let (stop, stopped) = watch::channel(false);
        let (count, accepted) = watch::channel(0);
        let users = to.iter().map(|(user, _)| *user).collect();
        let writer = write(users, [scene.here(), scene.there()], mark.clone(), stopped, count);
        let to = to.iter().map(|(user, phone)| (*user, (*phone).to_owned())).collect();
        Self { to, mark, stop, accepted, writer: tokio::spawn(writer) }
    }

    /// Waits until each of them was told this much more.
    pub async fn more(&mut self, each: usize) {
        let goal = *self.accepted.borrow() + each * self.to.len();
        let enough = tokio::time::timeout(2 * SOON, self.accepted.wait_for(|count| *count >= goal)).await;
        enough.expect("messages go on").expect("the writer runs");
    }

    /// Stops, and looks at all that was accepted; answers how many these were.
    pub async fn end(self, scene: &Scene) -> usize {
        self.stop.send_replace(true);
        let said = self.writer.await.expect("the writer does not panic");
        for (user, phone) in &self.to {
            let Said { conversation, texts } = &said[user];
            for text in texts {
                scene.rings(phone, text).await;
            }
            // What rings is stored.
            let mut stored = history(scene.there(), user, conversation).await;
            stored.retain(|text| text.ends_with(&self.mark));
            assert_eq!(&stored, texts, "{user}");
            let alerts = scene.fake.phone(phone).expect("it rang").alerts;
            let ours = alerts.iter().filter_map(|alert| alert.body.as_ref());
            let ours = ours.filter(|text| text.ends_with(&self.mark)).count();
            assert_eq!(ours, texts.len(), "{user}");
        }
        said.values().map(|said| said.texts.len()).sum()
    }
}

async fn write(
    users: Vec<&'static str>,
    gateways: [SocketAddr; 2],
    mark: String,
    stopped: watch::Receiver<bool>,
    count: watch::Sender<usize>,
) -> BTreeMap<&'static str, Said> {
    let mut said: BTreeMap<_, Said> = BTreeMap::new();
    let (mut gateways, client) = (gateways.into_iter().cycle(), reqwest::Client::new());
    for number in 1.. {
        for user in &users {
            let text = format!("{number} to {user} {mark}");
            let conversation = accept(&client, &mut gateways, user, &text).await;
            let told = said.entry(*user).or_default();
            told.conversation = conversation;
            told.texts.push(text);
            count.send_modify(|count| *count += 1);
        }
        if *stopped.borrow() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    said
}

/// Tries one gateway after the other until one accepts; answers the conversation.
async fn accept(
    client: &reqwest::Client,
    gateways: &mut impl Iterator<Item = SocketAddr>,
    user: &str,
    text: &str,
) -> String {
    let body = json!({"to": user, "client_id": Uuid::new_v4(), "text": text}).to_string();
    let deadline = Instant::now() + SOON;
    loop {
        let at = gateways.next().expect("a cycle has no end");
        let request = client.post(format!("http://{at}/v1/messages")).bearer_auth(token("ann"));
        let answer = request.header("content-type", "application/json").body(body.clone()).send().await;
        let said = match answer {
            Ok(answer) if answer.status() == 202 => {
                let accepted: serde_json::Value = answer.json().await.expect("an answer is JSON");
                return accepted["conversation_id"].as_str().expect("an id").to_owned();
            }
            Ok(answer) => format!("{}: {}", answer.status(), answer.text().await.unwrap_or_default()),
            // It is being replaced.
            Err(error) => error.to_string(),
        };
        assert!(Instant::now() < deadline, "{text} is not accepted: {said}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// All texts of a conversation, in their order.
async fn history(at: SocketAddr, user: &str, conversation: &str) -> Vec<String> {
    let (mut texts, mut seen) = (Vec::new(), 0);
    loop {
        let path = format!("/v1/conversations/{conversation}/messages?after={seen}&limit=200");
        let (status, answer) = http(at, user, Method::GET, &path, None).await;
        assert_eq!(status, 200, "{answer}");
        for entry in answer["messages"].as_array().expect("a list") {
            seen = entry["seq"].as_i64().expect("a seq");
            texts.extend(entry["text"].as_str().map(str::to_owned));
        }
        if answer["has_more"] != true {
            return texts;
        }
    }
}
