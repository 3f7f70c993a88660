//! What may happen to Redis and to the connections with it.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tidings::config;
use tidings::fanout::redis::RedisState;
use tidings::fanout::{Fanout, PresenceBoard, Routes, Subscriptions};
use tidings::model::{Status, Target, Timestamp};
use tokio::time::timeout;

use super::backends::{connected, reaches, settings};
use super::redis_wire::command;
use super::scene::{came_to, end_of, eventually, next, saying, take, to_users, user, users};
use crate::support::stack::{Stack, Wanted};

/// Settings that notice faults sooner.
fn hasty(url: &str) -> config::Redis {
    config::Redis {
        command_timeout: Duration::from_millis(500),
        connect_timeout: Duration::from_secs(1),
        lease_ttl: Duration::from_secs(2),
        lease_interval: Duration::from_millis(300),
        ..settings(url)
    }
}

#[tokio::test]
async fn after_redis_came_back_empty_a_gateway_subscribes_and_registers_anew() {
    let stack = Stack::private(&[Wanted::Redis]).await;
    let fanout = connected(&hasty(stack.redis().url())).await;
    let (alice, mut before) = (users(["alice"]), fanout.subscribe().await.unwrap());
    fanout.register_users(before.gateway(), &alice).await.unwrap();
    stack.redis().kill();
    end_of(&mut *before).await;
    assert!(next(&mut *before).await.is_err(), "an ended subscription stays ended");
    reaches(&fanout, RedisState::Away).await;
    let began = Instant::now();
    assert!(fanout.publish(vec![to_users("lost", &["alice"])]).await.is_err());
    assert!(fanout.ping().await.is_err());
    assert!(fanout.subscribe().await.is_err());
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    stack.redis().start().await;
    reaches(&fanout, RedisState::Connected).await;
    fanout.ping().await.unwrap();
    let (mut after, mut other) = (fanout.subscribe().await.unwrap(), fanout.subscribe().await.unwrap());
    assert_ne!(after.gateway(), before.gateway());
    assert_eq!(fanout.are_connected(&alice).await.unwrap(), [false]);
    fanout.register_users(after.gateway(), &alice).await.unwrap();
    fanout.publish(vec![to_users("hello", &["alice"])]).await.unwrap();
    assert_eq!(came_to(&fanout, &mut *after).await, ["hello"]);
    assert!(came_to(&fanout, &mut *other).await.is_empty());
}

#[tokio::test]
async fn it_connects_to_a_redis_that_starts_later() {
    let stack = Stack::private(&[Wanted::Redis]).await;
    stack.redis().kill();
    let fanout = tidings::fanout::redis::RedisFanout::connect(&hasty(stack.redis().url())).unwrap();
    assert!(fanout.ping().await.is_err());
    stack.redis().start().await;
    reaches(&fanout, RedisState::Connected).await;
    fanout.ping().await.unwrap();
}

#[tokio::test]
async fn a_subscriber_whose_connection_is_killed_hears_of_it() {
    let stack = Stack::private(&[Wanted::Redis]).await;
    let fanout = connected(&settings(stack.redis().url())).await;
    let mut subscription = fanout.subscribe().await.unwrap();
    fanout.publish(vec![saying("before", Target::Everyone)]).await.unwrap();
    take(&mut *subscription, 1).await;
    let killed = command(stack.redis().url(), &[b"CLIENT", b"KILL", b"TYPE", b"pubsub"]).await;
    assert_eq!(killed, ":1\r\n");
    end_of(&mut *subscription).await;
}

#[tokio::test]
async fn killed_command_connections_come_back_by_themselves() {
    let stack = Stack::private(&[Wanted::Redis]).await;
    let fanout = connected(&hasty(stack.redis().url())).await;
    let mut subscription = fanout.subscribe().await.unwrap();
    command(stack.redis().url(), &[b"CLIENT", b"KILL", b"TYPE", b"normal", b"SKIPME", b"yes"]).await;
    eventually("it answers again", async || fanout.ping().await.is_ok()).await;
    fanout.publish(vec![saying("hello", Target::Everyone)]).await.unwrap();
    assert_eq!(came_to(&fanout, &mut *subscription).await, ["hello"]);
}

#[tokio::test]
async fn connections_to_a_primary_that_was_demoted_are_made_anew() {
    let stack = Stack::private(&[Wanted::Redis]).await;
    let url = stack.redis().url();
    let fanout = connected(&hasty(url)).await;
    let clients = async || {
        let list = command(url, &[b"CLIENT", b"LIST", b"TYPE", b"normal"]).await;
        let id = |word: &str| word.strip_prefix("id=").and_then(|id| id.parse::<u64>().ok());
        // The last is the one that asks.
        let mut ids: Vec<u64> = list.split_whitespace().filter_map(id).collect();
        ids.pop();
        ids
    };
    eventually("both connections are there", async || clients().await.len() == 2).await;
    let before = clients().await;
    let (host, port) = url.trim_start_matches("redis://").split_once(':').unwrap();
    // Of itself: a replica that never finds its primary.
    command(url, &[b"REPLICAOF", host.as_bytes(), port.as_bytes()]).await;
    let are_new = async || {
        let failed = fanout.saw(&users(["alice"]), Timestamp::now()).await.is_err();
        failed && clients().await.iter().all(|id| !before.contains(id))
    };
    eventually("the connections are others", are_new).await;
    command(url, &[b"REPLICAOF", b"NO", b"ONE"]).await;
    let works = async || fanout.saw(&users(["alice"]), Timestamp::now()).await.is_ok();
    eventually("it works again", works).await;
}

#[tokio::test]
async fn a_gateway_whose_lease_expired_gets_nothing_and_hears_of_it() {
    let stack = Stack::private(&[Wanted::Redis]).await;
    let settings = hasty(stack.redis().url());
    let fanout = connected(&settings).await;
    let (mut dead, mut alive) = (fanout.subscribe().await.unwrap(), fanout.subscribe().await.unwrap());
    let _third = fanout.subscribe().await.unwrap();
    for gateway in [dead.gateway(), alive.gateway()] {
        fanout.register_users(gateway, &users(["alice"])).await.unwrap();
    }
    fanout.register_users(dead.gateway(), &users(["bob"])).await.unwrap();
    fanout.watch(dead.gateway(), &users(["carol"])).await.unwrap();
    let (key, id) = (format!("{}:gateways", settings.prefix), dead.gateway().to_string());
    let expire: [&[u8]; 6] = [b"ZADD", key.as_bytes(), b"XX", b"CH", b"1", id.as_bytes()];
    assert_eq!(command(stack.redis().url(), &expire).await, ":1\r\n");
    let about_carol = saying("carol", Target::Watchers(users(["carol"])[0].clone()));
    fanout.publish(vec![to_users("1", &["alice"]), to_users("2", &["bob"]), about_carol]).await.unwrap();
    assert_eq!(fanout.are_connected(&users(["alice", "bob"])).await.unwrap(), [true, false]);
    assert_eq!(fanout.presence(&users(["bob"])).await.unwrap()[0].status, Status::Offline);
    assert_eq!(came_to(&fanout, &mut *alive).await, ["1"]);
    let events = next(&mut *dead).await;
    assert!(events.is_err(), "{events:?}");
}

#[tokio::test]
async fn a_stalled_redis_is_an_error_in_time_and_the_end_of_subscriptions() {
    let stack = Stack::private(&[Wanted::Redis]).await;
    let fanout = connected(&hasty(stack.redis().url())).await;
    let mut subscription = fanout.subscribe().await.unwrap();
    stack.redis().stop();
    let began = Instant::now();
    let calls = join_all((0..50).map(|_| fanout.publish(vec![saying("lost", Target::Everyone)])));
    let outcomes = timeout(Duration::from_secs(10), calls).await.expect("no publish hangs");
    assert!(outcomes.iter().all(Result::is_err));
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    reaches(&fanout, RedisState::Away).await;
    let began = Instant::now();
    assert!(fanout.ping().await.is_err());
    assert!(began.elapsed() < Duration::from_millis(300), "away is known: {:?}", began.elapsed());
    assert!(timeout(Duration::from_secs(5), fanout.subscribe()).await.expect("no subscribe hangs").is_err());
    end_of(&mut *subscription).await;
    stack.redis().cont();
    reaches(&fanout, RedisState::Connected).await;
    let mut subscription = fanout.subscribe().await.unwrap();
    fanout.publish(vec![saying("hello", Target::Everyone)]).await.unwrap();
    assert_eq!(came_to(&fanout, &mut *subscription).await, ["hello"]);
}

#[tokio::test]
async fn a_connection_that_is_stuck_in_a_write_is_given_up_and_made_anew() {
    let stack = Stack::private(&[Wanted::Redis]).await;
    let fanout = connected(&hasty(stack.redis().url())).await;
    // Far more than the buffers of sockets take.
    let crowd: Vec<_> = (0..300_000).map(|number| user(&format!("{number:060}"))).collect();
    stack.redis().stop();
    let saw = timeout(Duration::from_secs(10), fanout.saw(&crowd, Timestamp::now())).await;
    assert!(saw.expect("it does not hang").is_err());
    reaches(&fanout, RedisState::Away).await;
    stack.redis().cont();
    reaches(&fanout, RedisState::Connected).await;
    eventually("both connections answer", async || {
        fanout.ping().await.is_ok() && fanout.ping().await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_gateway_that_is_too_slow_hears_that_it_missed_something() {
    let fanout = connected(&settings(Stack::shared_redis().await.url())).await;
    let mut subscription = fanout.subscribe().await.unwrap();
    for _ in 0..12 {
        let publishes = (0..100).map(|_| fanout.publish(vec![saying("again", Target::Everyone)]));
        assert!(join_all(publishes).await.iter().all(Result::is_ok));
    }
    let error = next(&mut *subscription).await.expect_err("more came than may wait");
    assert!(error.to_string().contains("missed"), "{error}");
}

#[tokio::test]
async fn a_message_of_another_release_ends_the_subscription() {
    let stack = Stack::private(&[Wanted::Redis]).await;
    let settings = settings(stack.redis().url());
    let fanout = connected(&settings).await;
    for rubbish in [&b"\xff\x01\x02"[..], b"", b"hello"] {
        let mut subscription = fanout.subscribe().await.unwrap();
        let channel = format!("{}:gateway:{{{}}}", settings.prefix, subscription.gateway());
        let heard = command(stack.redis().url(), &[b"PUBLISH", channel.as_bytes(), rubbish]).await;
        assert_eq!(heard, ":1\r\n");
        assert!(next(&mut *subscription).await.is_err());
    }
}

#[tokio::test]
async fn scripts_that_redis_forgot_are_loaded_again() {
    let stack = Stack::private(&[Wanted::Redis]).await;
    let fanout = connected(&settings(stack.redis().url())).await;
    let mut subscription = fanout.subscribe().await.unwrap();
    command(stack.redis().url(), &[b"SCRIPT", b"FLUSH"]).await;
    fanout.publish(vec![saying("hello", Target::Everyone)]).await.unwrap();
    assert_eq!(came_to(&fanout, &mut *subscription).await, ["hello"]);
}

#[tokio::test]
async fn routes_of_dead_gateways_are_swept_away_and_those_of_the_living_stay() {
    let stack = Stack::private(&[Wanted::Redis]).await;
    let interval = Duration::from_millis(5);
    let settings = config::Redis { lease_interval: interval, ..settings(stack.redis().url()) };
    let fanout = connected(&settings).await;
    let (dead, mut alive) = (fanout.subscribe().await.unwrap(), fanout.subscribe().await.unwrap());
    fanout.register_users(dead.gateway(), &users(["alice", "bob"])).await.unwrap();
    fanout.register_users(alive.gateway(), &users(["bob"])).await.unwrap();
    fanout.watch(dead.gateway(), &users(["bob"])).await.unwrap();
    let count = async |pattern: &str| {
        let pattern = format!("{}:{pattern}:*", settings.prefix);
        command(stack.redis().url(), &[b"KEYS", pattern.as_bytes()]).await.matches(&pattern[..8]).count()
    };
    assert_eq!((count("users").await, count("watchers").await), (2, 1));
    drop(dead);
    eventually("they are gone", async || (count("users").await, count("watchers").await) == (1, 0)).await;
    let _other = fanout.subscribe().await.unwrap();
    fanout.publish(vec![to_users("hello", &["bob"])]).await.unwrap();
    assert_eq!(came_to(&fanout, &mut *alive).await, ["hello"]);
}
