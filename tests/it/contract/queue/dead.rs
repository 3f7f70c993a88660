//! Dead letters.

use bytes::Bytes;
use tidings::model::Timestamp;
use tidings::queue::{DeadLetter, Replayed};

use super::Fixture;
use super::fixture::{assert_nothing_comes, batch, last_tag, numbers, receive};

pub async fn what_is_buried_is_listed_with_its_reason_source_and_time(fixture: Fixture) {
    let before = Timestamp::now();
    let payload = Bytes::from_static(b"\xff no batch \x00");
    fixture.queue.bury(payload.clone(), "it cannot be decoded: \u{e9}", "1").await.unwrap();
    let letters = fixture.queue.dead_letters(10).await.unwrap();
    let [letter] = &letters[..] else { panic!("one was buried: {letters:?}") };
    assert_eq!(letter.payload, payload);
    assert_eq!(letter.reason, "it cannot be decoded: \u{e9}");
    assert_eq!(letter.source, "1");
    assert!(letter.dead_at >= before && letter.dead_at <= Timestamp::now());
}

pub async fn listing_takes_nothing_away_and_keeps_the_order(fixture: Fixture) {
    bury(&fixture, 0..40).await;
    let first = fixture.queue.dead_letters(100).await.unwrap();
    assert_eq!(reasons(&first), (0..40).map(|number| number.to_string()).collect::<Vec<_>>());
    bury(&fixture, 40..41).await;
    for _ in 0..3 {
        let again = fixture.queue.dead_letters(100).await.unwrap();
        assert_eq!(reasons(&again), (0..41).map(|number| number.to_string()).collect::<Vec<_>>());
        assert!(first.iter().zip(&again).all(|(first, again)| first.id == again.id), "ids stay");
    }
}

pub async fn the_oldest_are_listed_up_to_the_limit(fixture: Fixture) {
    bury(&fixture, 0..5).await;
    assert_eq!(reasons(&fixture.queue.dead_letters(2).await.unwrap()), ["0", "1"]);
    assert!(fixture.queue.dead_letters(0).await.unwrap().is_empty());
    assert_eq!(fixture.queue.dead_letters(100).await.unwrap().len(), 5);
}

pub async fn all_that_is_buried_is_replayed_to_where_it_came_from(fixture: Fixture) {
    bury(&fixture, 0..3).await;
    let replayed = replay_while_consuming(&fixture, Vec::new(), &[0, 1, 2]).await;
    assert_eq!(replayed, Replayed { replayed: 3, left: 0 });
    assert!(fixture.queue.dead_letters(10).await.unwrap().is_empty());
    assert_eq!(fixture.queue.replay(&[]).await.unwrap(), Replayed::default());
}

pub async fn one_is_replayed_and_the_others_are_left(fixture: Fixture) {
    bury(&fixture, 0..3).await;
    let letters = fixture.queue.dead_letters(10).await.unwrap();
    let replayed = replay_while_consuming(&fixture, vec![letters[1].clone()], &[1]).await;
    assert_eq!(replayed, Replayed { replayed: 1, left: 2 });
    assert_eq!(reasons(&fixture.queue.dead_letters(10).await.unwrap()), ["0", "2"]);
}

pub async fn what_is_replayed_comes_once(fixture: Fixture) {
    bury(&fixture, 0..1).await;
    replay_while_consuming(&fixture, Vec::new(), &[0]).await;
    let mut consumer = fixture.consumer().await;
    assert_nothing_comes(&mut *consumer).await;
}

/// Buries a batch for each number, of the first partition; the number is its reason.
async fn bury(fixture: &Fixture, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        let payload = batch(fixture.partitions, fixture.partition(0), &[number]).encode();
        fixture.queue.bury(payload, &number.to_string(), "0").await.unwrap();
    }
}

fn reasons(letters: &[DeadLetter]) -> Vec<&str> {
    letters.iter().map(|letter| letter.reason.as_str()).collect()
}

/// Replays these, or all, and acknowledges what comes of it.
async fn replay_while_consuming(fixture: &Fixture, letters: Vec<DeadLetter>, expected: &[usize]) -> Replayed {
    let queue = fixture.queue.clone();
    let ids: Vec<_> = letters.into_iter().map(|letter| letter.id).collect();
    let replay = tokio::spawn(async move { queue.replay(&ids).await });
    let mut consumer = fixture.consumer().await;
    let mut got = Vec::new();
    while got.len() < expected.len() {
        // One by one: the embedded queue replays the next when this one is acknowledged.
        let next = receive(&mut *consumer, 1).await;
        consumer.acknowledge(last_tag(&next)).await.unwrap();
        got.extend(numbers(&next));
    }
    assert_eq!(got, expected);
    consumer.close().await;
    replay.await.unwrap().unwrap()
}
