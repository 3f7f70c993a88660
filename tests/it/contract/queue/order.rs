//! Publishing and receiving.

use super::Fixture;
use super::fixture::{assert_nothing_comes, batch, last_tag, numbers, receive};

pub async fn a_batch_arrives_as_it_was_published(fixture: Fixture) {
    let partition = fixture.partition(0);
    let sent = batch(fixture.partitions, partition, &[7, 8]);
    let (queue, published) = (fixture.queue.clone(), sent.clone());
    let published = tokio::spawn(async move { queue.publish(partition, published).await });
    let mut consumer = fixture.consumer().await;
    let got = receive(&mut *consumer, 1).await;
    assert!(!got[0].redelivered);
    assert_eq!(got[0].payload.as_ref().unwrap().encode(), sent.encode());
    consumer.acknowledge(last_tag(&got)).await.unwrap();
    published.await.unwrap().unwrap();
}

pub async fn a_partition_keeps_its_order(fixture: Fixture) {
    let _published = fixture.publish(0..20);
    let mut consumer = fixture.consumer().await;
    let got = receive(&mut *consumer, 20).await;
    assert_eq!(numbers(&got), (0..20).collect::<Vec<_>>());
    assert!(got.windows(2).all(|pair| pair[0].tag < pair[1].tag), "tags rise");
}

pub async fn partitions_do_not_see_each_other(fixture: Fixture) {
    let _first = fixture.publish_to(fixture.partition(0), [1]);
    let _second = fixture.publish_to(fixture.partition(1), [2]);
    let mut second = fixture.queue.consume(fixture.partition(1)).await.unwrap();
    assert_eq!(numbers(&receive(&mut *second, 1).await), [2]);
    let mut first = fixture.consumer().await;
    assert_eq!(numbers(&receive(&mut *first, 1).await), [1]);
    assert_nothing_comes(&mut *second).await;
}

pub async fn receive_takes_what_is_there_up_to_about_the_rows_asked(fixture: Fixture) {
    let partition = fixture.partition(0);
    let mut consumer = fixture.consumer().await;
    let queue = fixture.queue.clone();
    let batches = [[1, 2], [3, 4], [5, 6]].map(|of| batch(fixture.partitions, partition, &of));
    let _published = tokio::spawn(async move {
        futures_util::future::join_all(batches.map(|batch| queue.publish(partition, batch))).await
    });
    let mut got = Vec::new();
    while got.len() < 6 {
        let next = consumer.receive(3).await.unwrap();
        // Three rows are reached with the second batch of two.
        assert!((1..=2).contains(&next.len()), "{}", next.len());
        got.extend(numbers(&next));
    }
    assert_eq!(got, [1, 2, 3, 4, 5, 6]);
}

pub async fn a_receive_that_is_given_up_takes_nothing_away(fixture: Fixture) {
    let mut consumer = fixture.consumer().await;
    assert_nothing_comes(&mut *consumer).await;
    let _published = fixture.publish([1]);
    assert_eq!(numbers(&receive(&mut *consumer, 1).await), [1]);
}
