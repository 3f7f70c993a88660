//! Worker and push stage are killed again and again under load, and the provider is in a bad mood: what do the phones show?
//!
//! Short with a fixed seed as part of `make test`; `make chaos-push` sets `TIDINGS_CHAOS=long` and takes the seed from the clock.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tidings::push::fake::{Fault, Phone, Rule, Service};
use tokio::time::Instant;

use super::scene::Scene;
use crate::support::client::Client;

struct Form {
    seed: u64,
    messages: usize,
    /// Of each third.
    users: usize,
    /// Messages of one sender a second.
    pace: f64,
}

fn form() -> Form {
    if std::env::var("TIDINGS_CHAOS").is_ok_and(|form| form == "long") {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let seed = std::env::var("TIDINGS_CHAOS_SEED").ok().and_then(|seed| seed.parse().ok());
        Form { seed: seed.unwrap_or(now.as_secs()), messages: 10_000, users: 100, pace: 15.0 }
    } else {
        Form { seed: 7, messages: 450, users: 10, pace: 5.0 }
    }
}

const SENDERS: usize = 10;
/// Between two kills, and how long what was killed stays away; in seconds.
const PAUSE: std::ops::Range<f64> = 2.0..4.0;
const DOWN: std::ops::Range<f64> = 0.2..1.0;
/// The last retries and summaries, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(180);

/// Who is told of what: by user, the token of their phone.
struct Third {
    name: &'static str,
    phones: BTreeMap<String, String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_of_worker_and_push_stage_lose_no_push_and_show_none_twice() {
    let form = form();
    let mut random = StdRng::seed_from_u64(form.seed);
    println!("chaos-push: seed {}, {} messages to 3 x {} users", form.seed, form.messages, form.users);
    let settings =
        [("push__ack_deadline", "10s"), ("worker__lease_ttl", "3s"), ("worker__lease_interval", "1s")];
    let mut scene = Scene::roles(&settings).await;
    let (offline, silent) = (third(&scene, "offline", &form).await, third(&scene, "silent", &form).await);
    let polite = third(&scene, "polite", &form).await;
    for service in [Service::Apns, Service::Fcm, Service::Webpush] {
        for (fault, share) in [(Fault::status(429), 0.05), (Fault::status(503), 0.05), (Fault::Reset, 0.02)] {
            scene.fake.fault(service, Rule::share(fault, share));
        }
    }
    let mut sockets = Vec::new();
    for (third, acknowledges) in [(&silent, false), (&polite, true)] {
        for user in third.phones.keys() {
            sockets.push(tokio::spawn(listen(Client::login(scene.there(), user).await.0, acknowledges)));
        }
    }

    let everybody: Vec<String> =
        [&offline, &silent, &polite].into_iter().flat_map(|third| third.phones.keys().cloned()).collect();
    let load = tokio::spawn(load(scene.here(), everybody, form.messages, form.pace));
    let mut kills = 0;
    while !load.is_finished() {
        tokio::time::sleep(Duration::from_secs_f64(random.random_range(PAUSE))).await;
        let victims = scene.behind().count();
        if let Some(victim) = scene.behind().nth(kills % victims) {
            victim.kill();
            tokio::time::sleep(Duration::from_secs_f64(random.random_range(DOWN))).await;
            victim.restart();
            kills += 1;
        }
    }
    // A socket that ended would make its user one who is offline.
    assert!(sockets.iter().all(|socket| !socket.is_finished()), "a socket ended");
    let sent: BTreeMap<String, usize> = load.await.expect("everything was accepted");
    let began = Instant::now();
    for third in [&offline, &silent] {
        for (user, token) in &third.phones {
            let expected = sent[user];
            while told(scene.fake.phone(token)) < expected {
                let phone = scene.fake.phone(token);
                assert!(began.elapsed() < PATIENCE, "{user}: {expected} were sent: {phone:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    let late = began.elapsed();
    // The last of the others have had their time.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let mut twice = 0;
    for third in [&offline, &silent, &polite] {
        let phones: Vec<Phone> = third.phones.values().filter_map(|token| scene.fake.phone(token)).collect();
        let messages: usize = third.phones.keys().map(|user| sent[user]).sum();
        let shown: usize = phones.iter().map(|phone| told(Some(phone.clone()))).sum();
        let alerts: usize = phones.iter().map(|phone| phone.alerts.len()).sum();
        let again: u64 = phones.iter().map(|phone| phone.repeats).sum();
        println!(
            "chaos-push: {}: {messages} messages, {shown} on {} phones in {alerts} alerts, {again} taken by the phone a second time",
            third.name,
            phones.len(),
        );
        let wanted = if third.name == "polite" { 0 } else { messages };
        assert_eq!(shown, wanted, "{}", third.name);
        twice += phones.iter().filter(|phone| shows_twice(phone)).count();
    }
    println!(
        "chaos-push: {kills} kills; {:?} requests; whole {late:?} after the load ended; {twice} phones show something twice",
        [Service::Apns, Service::Fcm, Service::Webpush].map(|service| scene.fake.requests(service)),
    );
    assert_eq!(twice, 0);
    assert_eq!(scene.fake.provider_tokens(), 1, "all starts of all processes share a token");
    sockets.iter().for_each(tokio::task::JoinHandle::abort);
}

async fn third(scene: &Scene, name: &'static str, form: &Form) -> Third {
    let users: Vec<String> = (0..form.users).map(|number| format!("{name}-{number}")).collect();
    let mut phones = BTreeMap::new();
    for some in users.chunks(10) {
        let tokens = join_all(some.iter().map(|user| phone(scene, user))).await;
        phones.extend(some.iter().cloned().zip(tokens));
    }
    Third { name, phones }
}

/// A third of the users has a phone of Apple's, a third an Android phone, a third a browser.
async fn phone(scene: &Scene, user: &str) -> String {
    let number: usize = user.rsplit('-').next().and_then(|number| number.parse().ok()).expect("a number");
    match number % 3 {
        0 => scene.phone(user, "phone").await,
        1 => scene.android(user, "phone").await,
        _ => scene.browser(user, "phone").await,
    }
}

/// Reads what comes until its socket ends.
async fn listen(mut client: Client, acknowledges: bool) {
    while let Some(message) = client.next().await {
        if acknowledges && message["type"] == "message" {
            let (conversation, seq) = (&message["conversation_id"], &message["seq"]);
            client.send(json!({"type": "ack", "conversation_id": conversation, "seq": seq})).await;
        }
    }
}

/// Sends so many messages, each sender to users of their own; answers how many each user was sent.
async fn load(
    at: std::net::SocketAddr,
    users: Vec<String>,
    messages: usize,
    pace: f64,
) -> BTreeMap<String, usize> {
    let senders = (0..SENDERS).map(|number| {
        let own: Vec<String> = users.iter().skip(number).step_by(SENDERS).cloned().collect();
        tokio::spawn(async move {
            let (mut client, _) = Client::login(at, &format!("sender-{number}")).await;
            let mut sent = BTreeMap::new();
            for count in 0..messages / SENDERS {
                let user = &own[count % own.len()];
                client.say_to(user, &format!("message {count}")).await;
                *sent.entry(user.clone()).or_default() += 1;
                tokio::time::sleep(Duration::from_secs_f64(1.0 / pace)).await;
            }
            sent
        })
    });
    let sent = join_all(senders.collect::<Vec<_>>()).await;
    sent.into_iter().flat_map(|sent| sent.expect("every message was accepted")).collect()
}

/// How many messages a phone tells of, alone or in its summary.
fn told(phone: Option<Phone>) -> usize {
    let count = |data: &Value| number(&data["count"]).map_or(1, |count| count as usize);
    phone.map_or(0, |phone| phone.alerts.iter().map(|shown| count(&shown.data)).sum())
}

/// FCM carries numbers as text.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn shows_twice(phone: &Phone) -> bool {
    let alone = phone.alerts.iter().filter(|shown| shown.data["count"].is_null());
    let mut seqs: Vec<u64> = alone.filter_map(|shown| number(&shown.data["seq"])).collect();
    let all = seqs.len();
    seqs.sort_unstable();
    seqs.dedup();
    seqs.len() < all
}
