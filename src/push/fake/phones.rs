use std::collections::{BTreeMap, HashSet};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast;

use crate::push::provider::Platform;

/// Phones that are remembered: more than a load test pushes to, less than fills a memory.
const MAX_PHONES: usize = 100_000;
/// Arrivals that a slow onlooker may be behind; then it misses some.
const ARRIVALS: usize = 256;
/// Alerts that a phone keeps; the oldest goes first.
const MAX_ALERTS: usize = 1000;
/// Ids of pushes that a phone remembers, so that a long load test does not fill the memory.
const MAX_SEEN: usize = 100_000;

/// What a phone would show now.
#[derive(Debug, Clone, Serialize)]
pub struct Phone {
    pub token: String,
    pub platform: Platform,
    /// The APNs topic or Firebase project that this token turned out to belong to.
    pub app_id: Option<String>,
    pub badge: Option<u32>,
    /// On the screen now, oldest first; a later one with the same key took the place of an earlier.
    pub alerts: Vec<Shown>,
    /// Alerts that arrived, those included that replaced another.
    pub rings: u64,
    /// Pushes that arrived again with an id that this phone had already.
    pub repeats: u64,
    /// Silent pushes that arrived.
    pub silent: u64,
    /// Web Push messages that could not be decrypted: a browser drops them without a word.
    pub undecryptable: u64,
    #[serde(skip)]
    uninstalled_at: Option<SystemTime>,
    #[serde(skip)]
    seen: HashSet<String>,
}

/// One alert on the screen.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Shown {
    /// The collapse id or tag, or where there is none the push's id.
    pub key: String,
    #[schema(required = true)]
    pub title: Option<String>,
    #[schema(required = true)]
    pub body: Option<String>,
    #[schema(required = true)]
    pub thread: Option<String>,
    #[schema(required = true)]
    pub sound: Option<String>,
    /// Android's notification channel.
    #[schema(required = true)]
    pub channel: Option<String>,
    /// When it came, in milliseconds since 1970.
    pub at_ms: u64,
    /// What the app got beside it.
    pub data: Value,
}

/// A push as it reached the phone, whatever provider brought it.
pub(super) struct Arrived {
    pub id: Option<String>,
    /// `None` for a silent push.
    pub alert: Option<Shown>,
    pub badge: Option<u32>,
    pub data: Value,
}

/// A push that a phone got just now, for whoever looks on.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub platform: Platform,
    pub token: String,
    /// `None` for a silent push.
    pub alert: Option<Shown>,
    pub badge: Option<u32>,
}

pub(super) struct Phones {
    all: BTreeMap<String, Phone>,
    arrivals: broadcast::Sender<Arrival>,
}

impl Default for Phones {
    fn default() -> Self {
        Self { all: BTreeMap::new(), arrivals: broadcast::Sender::new(ARRIVALS) }
    }
}

impl Phones {
    pub fn get(&self, token: &str) -> Option<&Phone> {
        self.all.get(token)
    }

    pub fn all(&self) -> Vec<Phone> {
        self.all.values().cloned().collect()
    }

    pub fn forget(&mut self) {
        self.all.clear();
    }

    pub fn arrivals(&self) -> broadcast::Receiver<Arrival> {
        self.arrivals.subscribe()
    }

    /// A push reaches the phone of this token.
    pub fn receive(&mut self, token: &str, platform: Platform, arrived: Arrived, at: SystemTime) {
        if self.arrivals.receiver_count() > 0 {
            let (alert, badge) = (arrived.alert.clone(), arrived.badge);
            let arrival = Arrival { platform, token: token.to_owned(), alert, badge };
            // An error says that nobody looks on any more.
            let _ = self.arrivals.send(arrival);
        }
        self.entry(token, platform).receive(arrived, at);
    }

    /// The phone of this token, which exists from the first push on.
    pub fn entry(&mut self, token: &str, platform: Platform) -> &mut Phone {
        if self.all.len() >= MAX_PHONES && !self.all.contains_key(token) {
            self.all.pop_first();
        }
        self.all.entry(token.to_owned()).or_insert_with(|| Phone {
            token: token.to_owned(),
            platform,
            app_id: None,
            badge: None,
            alerts: Vec::new(),
            rings: 0,
            repeats: 0,
            silent: 0,
            undecryptable: 0,
            uninstalled_at: None,
            seen: HashSet::new(),
        })
    }

    /// `None` when there is no such phone.
    pub fn uninstall(&mut self, token: &str, at: SystemTime) -> Option<()> {
        let phone = self.all.get_mut(token)?;
        phone.uninstalled_at = Some(at);
        phone.alerts.clear();
        Some(())
    }
}

impl Phone {
    pub(super) fn uninstalled_at(&self) -> Option<SystemTime> {
        self.uninstalled_at
    }

    fn receive(&mut self, arrived: Arrived, at: SystemTime) {
        if self.seen.len() >= MAX_SEEN {
            self.seen.clear();
        }
        if arrived.id.is_some_and(|id| !self.seen.insert(id)) {
            self.repeats += 1;
        }
        if let Some(badge) = arrived.badge {
            self.badge = Some(badge);
        }
        let Some(mut alert) = arrived.alert else {
            self.silent += 1;
            self.clear(&arrived.data);
            return;
        };
        self.rings += 1;
        alert.at_ms = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        self.alerts.retain(|shown| shown.key != alert.key);
        self.alerts.push(alert);
        if self.alerts.len() > MAX_ALERTS {
            self.alerts.remove(0);
        }
    }

    /// What a well-behaved app does with a clear: remove what was read.
    fn clear(&mut self, data: &Value) {
        if data["type"] != "clear" {
            return;
        }
        let Some(read) = number(&data["seq"]) else {
            return;
        };
        let conversation = &data["conversation_id"];
        self.alerts.retain(|shown| {
            let read_too = number(&shown.data["seq"]).is_some_and(|seq| seq <= read);
            shown.data["conversation_id"] != *conversation || !read_too
        });
    }
}

/// FCM carries numbers as text.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use serde_json::json;

    fn alert(key: &str, seq: Value) -> Arrived {
        let data = json!({"conversation_id": "c", "seq": seq});
        let shown = Shown {
            key: key.to_owned(),
            title: None,
            body: None,
            thread: None,
            sound: None,
            channel: None,
            at_ms: 0,
            data: data.clone(),
        };
        Arrived { id: Some(format!("{key}/{seq}")), alert: Some(shown), badge: Some(1), data }
    }

    fn keys(phone: &Phone) -> Vec<&str> {
        phone.alerts.iter().map(|shown| shown.key.as_str()).collect()
    }

    #[test]
    fn an_alert_replaces_the_one_with_its_key_and_a_clear_removes_what_was_read() {
        let mut phones = Phones::default();
        let mut receive = |arrived| {
            phones.receive("t", Platform::Apns, arrived, UNIX_EPOCH + Duration::from_millis(7));
            phones.get("t").expect("a phone").clone()
        };
        receive(alert("a", json!(1)));
        receive(alert("b", json!("2")));
        let phone = receive(alert("a", json!(3)));
        assert_eq!(keys(&phone), ["b", "a"]);
        assert_eq!((phone.rings, phone.repeats, phone.alerts[0].at_ms), (3, 0, 7));
        let phone = receive(alert("a", json!(3)));
        assert_eq!((phone.rings, phone.repeats), (4, 1));

        let data = json!({"type": "clear", "conversation_id": "c", "seq": "2"});
        let phone = receive(Arrived { id: None, alert: None, badge: Some(0), data });
        assert_eq!(keys(&phone), ["a"]);
        assert_eq!(phone.badge, Some(0));
    }

    #[test]
    fn whoever_looks_on_hears_of_each_push() {
        let mut phones = Phones::default();
        let mut arrivals = phones.arrivals();
        phones.receive("t", Platform::Fcm, alert("a", json!(1)), UNIX_EPOCH);
        phones.receive(
            "t",
            Platform::Fcm,
            Arrived { id: None, alert: None, badge: Some(0), data: json!({}) },
            UNIX_EPOCH,
        );
        let first = arrivals.try_recv().expect("an arrival");
        assert_eq!((first.token.as_str(), first.alert.map(|alert| alert.key)), ("t", Some("a".to_owned())));
        let second = arrivals.try_recv().expect("another");
        assert!(second.alert.is_none() && second.badge == Some(0));
    }
}
