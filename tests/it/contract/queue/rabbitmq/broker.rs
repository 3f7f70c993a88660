//! What only a broker does: return, give up, cancel.

use std::time::Duration;

use tidings::queue::PushLane;
use tidings::queue::rabbitmq::PUSH_WAITS;
use tidings::queue::{DeadLetters, PublishError, Queue, QueueError, Replayed};

use super::rig::Rig;
use crate::contract::queue::fixture::{batch, in_time, numbers, receive};

#[tokio::test]
async fn a_batch_that_no_queue_takes_is_returned_and_the_queue_is_made_again() {
    let rig = Rig::shared(|_| {}).await;
    let queue = rig.connect().await;
    let partition = rig.partitions.all().next().unwrap();
    let publish = || queue.publish(partition, batch(rig.partitions, partition, &[1]));
    publish().await.unwrap();
    rig.delete("inbound.0").await;
    let error = publish().await.unwrap_err();
    assert!(matches!(&error, PublishError::Returned { reason } if reason == "NO_ROUTE"), "{error}");
    in_time(async { while publish().await.is_err() {} }).await;
}

#[tokio::test]
async fn a_publish_that_is_given_up_breaks_nothing() {
    let rig = Rig::shared(|_| {}).await;
    let queue = rig.connect().await;
    let partition = rig.partitions.all().next().unwrap();
    for number in 0..50 {
        let publish = queue.publish(partition, batch(rig.partitions, partition, &[number]));
        // Some are given up before they are written, some before they are confirmed.
        let _ = tokio::time::timeout(Duration::from_micros(20 * number as u64), publish).await;
    }
    queue.publish(partition, batch(rig.partitions, partition, &[50])).await.unwrap();
    let mut consumer = queue.consume(partition).await.unwrap();
    let mut got = Vec::new();
    while got.last() != Some(&50) {
        got.extend(numbers(&receive(&mut *consumer, 1).await));
    }
    assert!(got.is_sorted(), "{got:?}");
}

#[tokio::test]
async fn what_is_delivered_too_often_becomes_a_dead_letter_and_can_be_replayed() {
    let rig = Rig::shared(|queue| queue.delivery_limit = 2).await;
    let queue = rig.connect().await;
    let partition = rig.partitions.all().nth(1).unwrap();
    queue.publish(partition, batch(rig.partitions, partition, &[7])).await.unwrap();
    for _ in 0..3 {
        let mut consumer = queue.consume(partition).await.unwrap();
        in_time(receive(&mut *consumer, 1)).await;
        consumer.close().await;
    }
    let letter = in_time(async {
        loop {
            if let Some(letter) = queue.dead_letters(10).await.unwrap().pop() {
                break letter;
            }
        }
    })
    .await;
    assert_eq!(letter.source, "1");
    assert_eq!(letter.reason, "delivered too often without being acknowledged");
    assert!(letter.dead_at.as_millis() > 1_700_000_000_000);
    let replayed = queue.replay(&[letter.id]).await.unwrap();
    assert_eq!(replayed, Replayed { replayed: 1, left: 0 });
    let mut consumer = queue.consume(partition).await.unwrap();
    assert_eq!(numbers(&in_time(receive(&mut *consumer, 1)).await), [7]);
}

#[tokio::test]
async fn a_letter_without_a_queue_to_go_back_to_is_left() {
    let rig = Rig::shared(|_| {}).await;
    let queue = rig.connect().await;
    queue.bury("{}".into(), "from a larger installation", "99").await.unwrap();
    rig.put("dead", b"from nowhere").await;
    in_time(async { while rig.ready("dead").await != Some(2) {} }).await;
    assert_eq!(queue.replay(&[]).await.unwrap(), Replayed { replayed: 0, left: 2 });
    let letters = queue.dead_letters(10).await.unwrap();
    assert_eq!(letters.len(), 2);
    assert!(letters[1].reason.starts_with("unknown"));
}

#[tokio::test]
async fn bytes_that_are_no_batch_arrive_as_poison() {
    let rig = Rig::shared(|_| {}).await;
    let queue = rig.connect().await;
    rig.put("inbound.0", b"\x00rubbish").await;
    let mut consumer = queue.consume(rig.partitions.all().next().unwrap()).await.unwrap();
    let got = in_time(receive(&mut *consumer, 1)).await;
    assert_eq!(got[0].payload.as_ref().unwrap_err().bytes, b"\x00rubbish"[..]);
}

#[tokio::test]
async fn a_consumer_whose_queue_is_deleted_is_told_so() {
    let rig = Rig::shared(|_| {}).await;
    let queue = rig.connect().await;
    let mut consumer = queue.consume(rig.partitions.all().next().unwrap()).await.unwrap();
    rig.delete("inbound.0").await;
    let error = in_time(consumer.receive(1)).await.unwrap_err();
    assert!(matches!(error, QueueError::ConsumerGone { .. }), "{error}");
}

#[tokio::test]
async fn a_queue_that_was_made_with_other_limits_is_used_as_it_is() {
    let mut rig = Rig::shared(|_| {}).await;
    drop(rig.connect().await);
    rig.queue.max_length_bytes *= 2;
    rig.queue.delivery_limit += 1;
    let queue = in_time(rig.connect()).await;
    let partition = rig.partitions.all().next().unwrap();
    queue.publish(partition, batch(rig.partitions, partition, &[1])).await.unwrap();
}

#[tokio::test]
async fn the_push_stage_has_its_queues_and_what_waits_there_comes_back() {
    let rig = Rig::shared(|_| {}).await;
    let queue = rig.connect().await;
    assert_eq!(rig.ready("push.work").await, None);
    queue.declare_push().await.unwrap();
    for part in PushLane::ALL.map(PushLane::queue) {
        assert_eq!(rig.ready(part).await, Some(0), "{part}");
    }
    for (part, _) in PUSH_WAITS {
        assert_eq!(rig.ready(part).await, Some(0), "{part}");
    }
    rig.put("push.wait.1s", b"a job").await;
    in_time(async { while rig.ready("push.work").await != Some(1) {} }).await;
    let depths = queue.depths().await.unwrap();
    let ready = |queue: &str| depths.iter().find(|depth| depth.queue == queue).map(|depth| depth.ready);
    assert_eq!((ready("push"), ready("push_wait"), ready("push_apns")), (Some(1), Some(0), Some(0)));
}
