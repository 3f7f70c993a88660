//! A broker that dies, stops answering, or raises an alarm.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tidings::config::Secret;
use tidings::queue::rabbitmq::State;
use tidings::queue::{DeadLetters, PublishError, Queue, QueueError};

use super::rig::{Rig, broken_broker, connected, until};
use crate::contract::queue::fixture::{batch, in_time, last_tag, numbers, receive};

/// Answers that need no broker come in this time, on a busy machine too.
const AT_ONCE: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_confirmed_is_lost_when_the_broker_is_killed() {
    let stack = broken_broker().await;
    let rig = Rig::on(stack.rabbitmq(), |_| {});
    let queue = std::sync::Arc::new(rig.connect().await);
    let partition = rig.partitions.all().next().unwrap();
    let mut consumer = queue.consume(partition).await.unwrap();

    // Publishes go on all the time; those that are confirmed are noted.
    let (publisher, partitions) = (queue.clone(), rig.partitions);
    let stop = tokio_util::sync::CancellationToken::new();
    let stopped = stop.clone();
    let publishing = tokio::spawn(async move {
        let (mut confirmed, mut refused) = (BTreeSet::new(), 0);
        for number in 0.. {
            if stopped.is_cancelled() {
                break;
            }
            match publisher.publish(partition, batch(partitions, partition, &[number])).await {
                Ok(()) => drop(confirmed.insert(number)),
                Err(PublishError::Unavailable { .. }) => {
                    refused += 1;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
        (confirmed, refused)
    });
    let before = in_time(receive(&mut *consumer, 20)).await;
    consumer.acknowledge(before[9].tag).await.unwrap();

    stack.rabbitmq().kill();
    let error = in_time(async {
        loop {
            if let Err(error) = consumer.receive(50).await {
                break error;
            }
        }
    })
    .await;
    assert!(matches!(error, QueueError::ConsumerGone { .. }), "{error}");
    in_time(until(&queue, |state| matches!(state, State::Disconnected { .. }))).await;
    assert!(matches!(queue.consume(partition).await, Err(QueueError::Unavailable { .. })));
    assert!(queue.bury("{}".into(), "nobody there", "0").await.is_err());
    stack.rabbitmq().start().await;
    in_time(connected(&queue)).await;
    in_time(queue.publish(partition, batch(rig.partitions, partition, &[1_000_000]))).await.unwrap();
    stop.cancel();
    let (confirmed, refused) = in_time(publishing).await.unwrap();
    assert!(refused > 0, "it was refused while the broker was away");

    // Acknowledgements are not confirmed: those before the kill may have been lost with it.
    let mut consumer = queue.consume(partition).await.unwrap();
    let mut got = Vec::new();
    while !(got.contains(confirmed.last().unwrap()) && got.contains(&1_000_000)) {
        let next = in_time(receive(&mut *consumer, 1)).await;
        // There may be more than are delivered unacknowledged.
        consumer.acknowledge(last_tag(&next)).await.unwrap();
        got.extend(numbers(&next));
    }
    let in_order: Vec<_> = got.iter().filter(|number| **number != 1_000_000).collect();
    assert!(in_order.is_sorted(), "the order is kept");
    let missing: Vec<_> = confirmed.iter().filter(|number| **number > 9 && !got.contains(number)).collect();
    assert!(missing.is_empty(), "confirmed and lost: {missing:?}");
}

#[tokio::test]
async fn a_queue_begins_without_a_broker_and_finds_it_when_it_comes() {
    let stack = broken_broker().await;
    let rig = Rig::on(stack.rabbitmq(), |_| {});
    stack.rabbitmq().kill();
    let queue = rig.begin_to_connect();
    let partition = rig.partitions.all().next().unwrap();
    let refused = async {
        loop {
            let begun = Instant::now();
            let error = queue.publish(partition, batch(rig.partitions, partition, &[1])).await.unwrap_err();
            assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
            if matches!(&error, PublishError::Unavailable { reason } if reason.contains("refused")) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    in_time(refused).await;
    assert!(queue.declare_push().await.is_err());
    stack.rabbitmq().start().await;
    in_time(queue.ping()).await.unwrap();
    queue.publish(partition, batch(rig.partitions, partition, &[1])).await.unwrap();
    assert_eq!(rig.ready("push.work").await, Some(0), "asked for while it was away");
}

#[tokio::test]
async fn a_broker_that_answers_nothing_is_found_dead_by_its_heartbeat() {
    let stack = broken_broker().await;
    let mut rig = Rig::on(stack.rabbitmq(), |_| {});
    rig.rabbitmq.heartbeat = Duration::from_secs(1);
    let queue = rig.connect().await;
    let partition = rig.partitions.all().next().unwrap();
    let mut consumer = queue.consume(partition).await.unwrap();
    stack.rabbitmq().stop();
    let begun = Instant::now();
    let error = in_time(queue.publish(partition, batch(rig.partitions, partition, &[1]))).await.unwrap_err();
    assert!(matches!(error, PublishError::Unavailable { .. }), "{error}");
    // A heartbeat of a second: dead after two of silence, found within another.
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    in_time(consumer.receive(1)).await.unwrap_err();
    let begun = Instant::now();
    queue.publish(partition, batch(rig.partitions, partition, &[2])).await.unwrap_err();
    assert!(begun.elapsed() < AT_ONCE);
    stack.rabbitmq().cont();
    in_time(connected(&queue)).await;
    queue.publish(partition, batch(rig.partitions, partition, &[3])).await.unwrap();
}

#[tokio::test]
async fn an_alarm_is_seen_by_a_check_though_nobody_publishes() {
    let stack = broken_broker().await;
    let rig = Rig::on(stack.rabbitmq(), |_| {});
    let queue = rig.connect().await;
    queue.check().await.unwrap();
    stack.rabbitmq().raise_alarm().await;
    let error = in_time(async {
        loop {
            if let Err(error) = queue.check().await {
                break error.to_string();
            }
        }
    });
    let error = error.await;
    assert!(error.contains("blocked"), "{error}");
    stack.rabbitmq().clear_alarm().await;
    in_time(async {
        while queue.check().await.is_err() {
            connected(&queue).await
        }
    })
    .await;
}

#[tokio::test]
async fn an_alarm_refuses_publishers_at_once_and_lets_consumers_go_on() {
    let stack = broken_broker().await;
    let mut rig = Rig::on(stack.rabbitmq(), |_| {});
    rig.rabbitmq.heartbeat = Duration::from_secs(1);
    let queue = rig.connect().await;
    let partition = rig.partitions.all().next().unwrap();
    let publish = |number| queue.publish(partition, batch(rig.partitions, partition, &[number]));
    publish(1).await.unwrap();
    stack.rabbitmq().raise_alarm().await;

    // The broker says so at the first publish after it, which is not confirmed either.
    let refused = in_time(async {
        loop {
            if let Err(error) = publish(2).await {
                break error;
            }
        }
    });
    let error = refused.await;
    assert!(matches!(&error, PublishError::Unavailable { reason } if reason.contains("blocked")), "{error}");
    until(&queue, |state| matches!(state, State::Blocked { .. })).await;
    let begun = Instant::now();
    publish(3).await.unwrap_err();
    assert!(begun.elapsed() < AT_ONCE);
    // Longer than a connection without heartbeats may live.
    let mut state = queue.state();
    let lost = state.wait_for(|state| matches!(state, State::Disconnected { .. }));
    assert!(
        tokio::time::timeout(Duration::from_secs(5), lost).await.is_err(),
        "an alarm is no lost connection"
    );

    let mut consumer = queue.consume(partition).await.unwrap();
    let got = in_time(receive(&mut *consumer, 1)).await;
    assert_eq!(numbers(&got), [1]);
    consumer.acknowledge(got[0].tag).await.unwrap();

    stack.rabbitmq().clear_alarm().await;
    in_time(connected(&queue)).await;
    publish(4).await.unwrap();
}

#[tokio::test]
async fn connections_that_the_broker_closes_come_back() {
    let stack = broken_broker().await;
    let rig = Rig::on(stack.rabbitmq(), |_| {});
    let queue = rig.connect().await;
    // Watched all the time: it is back before rabbitmqctl is.
    let lost = in_time(until(&queue, |state| matches!(state, State::Disconnected { .. })));
    tokio::join!(lost, stack.rabbitmq().close_connections());
    in_time(connected(&queue)).await;
}

#[tokio::test]
async fn tls_is_spoken_with_whom_the_ca_file_vouches_for_and_nobody_else() {
    let stack = broken_broker().await;
    let mut rig = Rig::on(stack.rabbitmq(), |_| {});
    rig.rabbitmq.url = Some(Secret::new(stack.rabbitmq().tls_url()));
    let stranger = rig.begin_to_connect();
    let refused =
        |state: &State| matches!(state, State::Disconnected { reason } if reason.contains("certificate"));
    in_time(until(&stranger, refused)).await;
    rig.rabbitmq.ca_file = Some(stack.rabbitmq().ca_file());
    let queue = in_time(rig.connect()).await;
    let partition = rig.partitions.all().next().unwrap();
    queue.publish(partition, batch(rig.partitions, partition, &[1])).await.unwrap();
    let mut consumer = queue.consume(partition).await.unwrap();
    assert_eq!(numbers(&in_time(receive(&mut *consumer, 1)).await), [1]);
}

#[tokio::test]
async fn attempts_to_connect_to_a_broker_that_answers_nothing_leave_nothing_behind() {
    let stack = broken_broker().await;
    let mut rig = Rig::on(stack.rabbitmq(), |_| {});
    rig.rabbitmq.connect_timeout = Duration::from_millis(100);
    rig.rabbitmq.reconnect_max = Duration::from_millis(10);
    stack.rabbitmq().stop();
    let queue = rig.begin_to_connect();
    in_time(until(
        &queue,
        |state| matches!(state, State::Disconnected { reason } if reason.contains("handshake")),
    ))
    .await;
    let before = io_threads();
    let mut most = before;
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(50)).await;
        most = most.max(io_threads());
    }
    stack.rabbitmq().cont();
    // Thirty attempts on each of two connections; other tests have some threads, too.
    assert!(most < before + 15, "{before} threads became {most}");
    drop(queue);
}

/// The client library has one for each connection.
fn io_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with("lapin-io-loop")).count()
}
