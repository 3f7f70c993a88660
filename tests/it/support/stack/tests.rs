//! That the support itself does what fault tests rely on.

use std::collections::HashSet;

use super::{Stack, Wanted, ports};

#[tokio::test]
async fn redis_is_killed_empty_again_and_stops_and_continues() {
    let stack = Stack::private(&[Wanted::Redis]).await;
    let redis = stack.redis();
    redis.kill();
    redis.start().await;
    redis.stop();
    redis.cont();
    redis.restart().await;
}

#[tokio::test]
async fn postgres_keeps_its_data_over_a_kill() {
    let stack = Stack::private(&[Wanted::Postgres]).await;
    let database = stack.postgres().database().await;
    stack.postgres().restart().await;
    assert!(super::postgres::connect(&database).await.is_some());
}

#[tokio::test]
async fn rabbitmq_is_killed_and_comes_back_on_its_port() {
    let stack = Stack::private(&[Wanted::RabbitMq]).await;
    stack.rabbitmq().restart().await;
    let users = stack.rabbitmq().control(&["list_users"]).await;
    assert!(users.contains("guest"), "{users}");
}

/// Without a memory 500 of them would all be different once in 30,000 times.
#[test]
fn no_port_is_given_twice() {
    let ports: HashSet<u16> = (0..500).map(|_| ports::free()).collect();
    assert_eq!(ports.len(), 500);
}

#[tokio::test]
#[should_panic(expected = "others use this service")]
async fn a_shared_service_cannot_be_killed() {
    Stack::shared_redis().await.kill();
}
