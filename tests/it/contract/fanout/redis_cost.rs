//! What publishing costs, and that everything comes. Short as part of `make test`;
//! `TIDINGS_COST=long cargo test --release --test it redis_cost -- --nocapture` prints figures.

use std::time::{Duration, Instant};

use tidings::fanout::{Routes, Subscription, Subscriptions};
use tidings::model::{Event, Target, UserId};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::backends::{connected, settings};
use super::redis_wire::command;
use super::scene::{DEADLINE, saying, user};
use crate::support::stack::{Stack, Wanted};

const USERS: usize = 15_000;
const EVENTS: usize = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_is_published_to_pairs_among_fifteen_thousand_users_comes() {
    let batches = if std::env::var("TIDINGS_COST").is_ok_and(|form| form == "long") { 200 } else { 4 };
    for gateways in [1, 2, 4] {
        measure(gateways, batches).await;
    }
}

async fn measure(gateways: usize, batches: usize) {
    let stack = Stack::private(&[Wanted::Redis]).await;
    let settings = settings(stack.redis().url());
    let worker = connected(&settings).await;
    let users: Vec<UserId> = (0..USERS).map(|number| user(&format!("user-{number:05}"))).collect();
    let mut receivers = JoinSet::new();
    let began = Instant::now();
    for gateway in 0..gateways {
        let fanout = connected(&settings).await;
        let subscription = fanout.subscribe().await.unwrap();
        let own: Vec<UserId> = users.iter().skip(gateway).step_by(gateways).cloned().collect();
        fanout.register_users(subscription.gateway(), &own).await.unwrap();
        receivers.spawn(count(subscription));
    }
    let registered = began.elapsed();
    let published: Vec<Vec<Event>> = (0..batches).map(|batch| pairs(&users, batch)).collect();
    let (before, own_before) = (redis_cpu(stack.redis().url()).await, own_cpu());
    let began = Instant::now();
    for batch in published {
        worker.publish(batch).await.unwrap();
    }
    let took = began.elapsed();
    worker.publish(vec![saying("end", Target::Everyone)]).await.unwrap();
    let received = timeout(DEADLINE, receivers.join_all()).await.expect("all have it in time");
    let (after, own_after) = (redis_cpu(stack.redis().url()).await, own_cpu());
    let events = (batches * EVENTS) as f64;
    let each = |time: Duration| time.as_secs_f64() * 1e6 / events;
    println!(
        "{gateways} gateways: registered in {registered:?}; an event: publish {:.2} µs, Redis {:.2} µs CPU, worker and gateways {:.2} µs CPU; received {}",
        each(took),
        each(after - before),
        each(own_after - own_before),
        received.iter().sum::<usize>(),
    );
    assert!(received.iter().sum::<usize>() >= batches * EVENTS);
}

/// A text of 100 bytes between two users, as of 28,000 a second.
fn pairs(users: &[UserId], batch: usize) -> Vec<Event> {
    let text = format!("{{\"type\":\"message\",\"text\":\"{}\"}}", "x".repeat(220));
    let pair = |number: usize| {
        let one = (batch * EVENTS + number).wrapping_mul(7919) % users.len();
        let other = (one + users.len() / 2 + 1) % users.len();
        saying(&text, Target::Users(vec![users[one].clone(), users[other].clone()]))
    };
    (0..EVENTS).map(pair).collect()
}

/// The events up to the one that is for everyone.
async fn count(mut subscription: Box<dyn Subscription>) -> usize {
    let mut count = 0;
    loop {
        for event in subscription.receive().await.expect("the subscription lives") {
            if event.target == Target::Everyone {
                return count;
            }
            count += 1;
        }
    }
}

async fn redis_cpu(url: &str) -> Duration {
    let info = command(url, &[b"INFO", b"cpu"]).await;
    let of = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name)).expect("Redis tells");
        Duration::from_secs_f64(line.trim().parse().expect("seconds"))
    };
    of("used_cpu_sys:") + of("used_cpu_user:")
}

/// User and system time of this process, in hundredths of a second.
fn own_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = text.rsplit_once(") ").expect("a name").1.split(' ').collect();
    let ticks = |field: usize| fields[field].parse::<u64>().expect("a number");
    Duration::from_millis(10 * (ticks(11) + ticks(12)))
}
