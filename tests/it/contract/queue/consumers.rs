//! Acknowledgement, redelivery, and whose turn it is.

use tidings::queue::Consumer;

use super::Fixture;
use super::fixture::{assert_nothing_comes, last_tag, numbers, receive};

pub async fn what_a_dropped_consumer_left_comes_again_in_order_and_before_what_is_later(fixture: Fixture) {
    left_behind(fixture, async |consumer: Box<dyn Consumer>| drop(consumer)).await;
}

pub async fn what_a_closed_consumer_left_comes_again_in_order_and_before_what_is_later(fixture: Fixture) {
    left_behind(fixture, async |consumer: Box<dyn Consumer>| consumer.close().await).await;
}

async fn left_behind(fixture: Fixture, leave: impl AsyncFnOnce(Box<dyn Consumer>)) {
    let _published = fixture.publish(0..5);
    let mut first = fixture.consumer().await;
    let got = receive(&mut *first, 5).await;
    first.acknowledge(got[1].tag).await.unwrap();
    // It waits while the first has messages: a mere cancel would hand it the later ones first.
    let mut second = fixture.consumer().await;
    let _later = fixture.publish(5..10);
    leave(first).await;
    let again = receive(&mut *second, 8).await;
    assert_eq!(numbers(&again), (2..10).collect::<Vec<_>>());
    assert!(again[..3].iter().all(|delivery| delivery.redelivered));
}

pub async fn what_was_acknowledged_does_not_come_again(fixture: Fixture) {
    let published = fixture.publish(0..3);
    let mut first = fixture.consumer().await;
    let got = receive(&mut *first, 3).await;
    first.acknowledge(last_tag(&got)).await.unwrap();
    assert!(published.await.unwrap().iter().all(Result::is_ok));
    first.close().await;
    let mut second = fixture.consumer().await;
    assert_nothing_comes(&mut *second).await;
}

pub async fn an_acknowledgement_covers_all_before_it_and_nothing_after(fixture: Fixture) {
    let _published = fixture.publish(0..6);
    let mut first = fixture.consumer().await;
    let got = receive(&mut *first, 6).await;
    first.acknowledge(got[3].tag).await.unwrap();
    first.close().await;
    let mut second = fixture.consumer().await;
    assert_eq!(numbers(&receive(&mut *second, 2).await), [4, 5]);
    assert_nothing_comes(&mut *second).await;
}

pub async fn a_second_consumer_waits_until_the_first_is_gone(fixture: Fixture) {
    let mut first = fixture.consumer().await;
    let mut second = fixture.consumer().await;
    let _published = fixture.publish(0..2);
    let got = receive(&mut *first, 2).await;
    first.acknowledge(last_tag(&got)).await.unwrap();
    assert_nothing_comes(&mut *second).await;
    first.close().await;
    let _published = fixture.publish(2..4);
    assert_eq!(numbers(&receive(&mut *second, 2).await), [2, 3]);
}

pub async fn a_publish_is_confirmed(fixture: Fixture) {
    let mut consumer = fixture.consumer().await;
    for number in 0..3 {
        let published = fixture.publish([number]);
        let got = receive(&mut *consumer, 1).await;
        consumer.acknowledge(last_tag(&got)).await.unwrap();
        published.await.unwrap().remove(0).unwrap();
    }
}
