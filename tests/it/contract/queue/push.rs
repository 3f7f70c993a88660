//! The contract of the push stage's queue.

use std::any::Any;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tidings::model::Timestamp;
use tidings::queue::{Partitions, PushConsumer, PushDelivery, PushJob, PushLane, PushQueue, Queue, embedded};
use tokio::time::Instant;

use super::fixture::{QUIET, in_time};
use super::limits::ROOM;
use super::rabbitmq::Rig;

/// One queue as several processes see it, and what it lives on.
struct Fixture {
    push: Arc<dyn PushQueue>,
    queue: Arc<dyn Queue>,
    _ground: Box<dyn Any + Send + Sync>,
}

async fn on_sqlite() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let partitions = Partitions::new(NonZeroU16::new(2).unwrap());
    let queue = Arc::new(embedded::open(folder.path(), partitions, ROOM).unwrap());
    Fixture { push: Arc::clone(&queue) as Arc<dyn PushQueue>, queue, _ground: Box::new(folder) }
}

async fn on_rabbitmq() -> Fixture {
    let rig = Rig::shared(|_| {}).await;
    let queue = Arc::new(rig.connect().await);
    queue.declare_push().await.unwrap();
    Fixture { push: Arc::clone(&queue) as Arc<dyn PushQueue>, queue, _ground: Box::new(rig) }
}

macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod embedded_push {
            $(#[tokio::test]
            async fn $name() {
                super::in_time(super::$name(super::on_sqlite().await)).await;
            })+
        }
        mod rabbitmq_push {
            $(#[tokio::test]
            async fn $name() {
                super::in_time(super::$name(super::on_rabbitmq().await)).await;
            })+
        }
    };
}

on_both!(
    a_job_comes_to_its_lane_and_to_no_other,
    a_job_that_waits_comes_in_time_and_not_before,
    waits_do_not_block_each_other,
    what_was_not_acknowledged_comes_again_and_the_rest_does_not,
    no_more_than_the_prefetch_are_delivered,
    a_receive_that_is_given_up_takes_nothing_away,
    a_buried_job_is_replayed_to_its_lane,
    depths_tell_how_much_is_in_hand_and_for_how_long_it_has_waited,
);

fn job(lane: PushLane, text: &str, wait: Option<Duration>) -> PushJob {
    let due = wait.map(|wait| Timestamp::now().plus(wait));
    PushJob { lane, due, payload: Bytes::copy_from_slice(text.as_bytes()) }
}

fn at_once(text: &str) -> PushJob {
    job(PushLane::Work, text, None)
}

fn texts(deliveries: &[PushDelivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| std::str::from_utf8(&delivery.payload).unwrap()).collect()
}

/// Receives until so many are there.
async fn receive(consumer: &mut dyn PushConsumer, count: usize) -> Vec<PushDelivery> {
    let mut deliveries = Vec::new();
    while deliveries.len() < count {
        deliveries.extend(consumer.receive(count - deliveries.len()).await.unwrap());
    }
    deliveries
}

async fn assert_nothing_comes(consumer: &mut dyn PushConsumer) {
    let more = tokio::time::timeout(QUIET, consumer.receive(1)).await;
    assert!(more.is_err(), "nothing was to come: {more:?}");
}

async fn a_job_comes_to_its_lane_and_to_no_other(fixture: Fixture) {
    let jobs = PushLane::ALL.map(|lane| job(lane, lane.queue(), None));
    fixture.push.put(jobs.to_vec()).await.unwrap();
    for lane in PushLane::ALL {
        let mut consumer = fixture.push.consume_push(lane, 10).await.unwrap();
        let got = receive(&mut *consumer, 1).await;
        assert_eq!(texts(&got), [lane.queue()]);
        assert!(!got[0].redelivered);
        assert_nothing_comes(&mut *consumer).await;
    }
}

async fn depths_tell_how_much_is_in_hand_and_for_how_long_it_has_waited(fixture: Fixture) {
    let look = async || {
        let depths = fixture.queue.depths().await.unwrap();
        let depth = depths.into_iter().find(|depth| depth.queue == PushLane::Work.label()).unwrap();
        (depth.unacknowledged, depth.oldest.unwrap())
    };
    assert_eq!(look().await, (0, Duration::ZERO));
    let (began, wait) = (Instant::now(), Duration::from_millis(500));
    fixture.push.put(vec![at_once("now"), job(PushLane::Work, "later", Some(wait))]).await.unwrap();
    let mut consumer = fixture.push.consume_push(PushLane::Work, 10).await.unwrap();
    let now = receive(&mut *consumer, 1).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    let (held, oldest) = look().await;
    assert!(held == 1 && oldest >= Duration::from_millis(600), "{held} {oldest:?}");
    consumer.acknowledge(&[now[0].tag]).await.unwrap();
    let (held, oldest) = look().await;
    assert!(held == 0 && oldest >= Duration::from_millis(600), "it was done with since: {held} {oldest:?}");
    // What had to wait counts from when it was due, not from when it was put.
    let later = receive(&mut *consumer, 1).await;
    let (held, oldest) = look().await;
    let most = began.elapsed() + Duration::from_millis(50) - wait;
    assert!(held == 1 && oldest <= most, "{held} {oldest:?} {most:?}");
    drop((later, consumer));
    assert_eq!(look().await.0, 0, "what a consumer that is gone held is still counted");
}

async fn a_job_that_waits_comes_in_time_and_not_before(fixture: Fixture) {
    // What waits comes by way of the work lane.
    let mut work = fixture.push.consume_push(PushLane::Work, 10).await.unwrap();
    let mut apns = fixture.push.consume_push(PushLane::Apns, 10).await.unwrap();
    let working = tokio::spawn(async move { work.receive(1).await });
    let (began, wait) = (Instant::now(), Duration::from_millis(1300));
    fixture.push.put(vec![job(PushLane::Apns, "later", Some(wait))]).await.unwrap();
    let got = receive(&mut *apns, 1).await;
    let took = began.elapsed();
    assert_eq!(texts(&got), ["later"]);
    assert!(took >= wait && took < wait + Duration::from_secs(3), "{took:?}");
    working.abort();
}

async fn waits_do_not_block_each_other(fixture: Fixture) {
    let mut work = fixture.push.consume_push(PushLane::Work, 10).await.unwrap();
    let wait = |millis| Some(Duration::from_millis(millis));
    let jobs = [("long", 2500), ("short", 300), ("middle", 1000)];
    fixture
        .push
        .put(jobs.map(|(text, millis)| job(PushLane::Work, text, wait(millis))).to_vec())
        .await
        .unwrap();
    assert_eq!(texts(&receive(&mut *work, 3).await), ["short", "middle", "long"]);
}

async fn what_was_not_acknowledged_comes_again_and_the_rest_does_not(fixture: Fixture) {
    fixture.push.put(["a", "b", "c"].map(at_once).to_vec()).await.unwrap();
    let mut consumer = fixture.push.consume_push(PushLane::Work, 10).await.unwrap();
    let got = receive(&mut *consumer, 3).await;
    let b = got.iter().find(|delivery| delivery.payload == "b").unwrap();
    consumer.acknowledge(&[b.tag]).await.unwrap();
    drop(consumer);
    let mut consumer = fixture.push.consume_push(PushLane::Work, 10).await.unwrap();
    let again = receive(&mut *consumer, 2).await;
    let mut left = texts(&again);
    left.sort_unstable();
    assert_eq!(left, ["a", "c"]);
    assert!(again.iter().all(|delivery| delivery.redelivered));
    assert_nothing_comes(&mut *consumer).await;
}

async fn no_more_than_the_prefetch_are_delivered(fixture: Fixture) {
    fixture.push.put(["a", "b", "c"].map(at_once).to_vec()).await.unwrap();
    let mut consumer = fixture.push.consume_push(PushLane::Work, 2).await.unwrap();
    let got = receive(&mut *consumer, 2).await;
    assert_nothing_comes(&mut *consumer).await;
    consumer.acknowledge(&[got[0].tag]).await.unwrap();
    receive(&mut *consumer, 1).await;
}

async fn a_receive_that_is_given_up_takes_nothing_away(fixture: Fixture) {
    let mut consumer = fixture.push.consume_push(PushLane::Work, 10).await.unwrap();
    fixture.push.put(["a", "b", "c"].map(at_once).to_vec()).await.unwrap();
    let mut got = Vec::new();
    let mut patience = Duration::ZERO;
    while got.len() < 3 {
        if let Ok(more) = tokio::time::timeout(patience, consumer.receive(1)).await {
            got.extend(more.unwrap());
        }
        patience += Duration::from_micros(200);
    }
    let mut all = texts(&got);
    all.sort_unstable();
    assert_eq!(all, ["a", "b", "c"]);
}

async fn a_buried_job_is_replayed_to_its_lane(fixture: Fixture) {
    let payload = Bytes::from_static(b"refused");
    fixture.queue.bury(payload, "BadTopic", PushLane::Fcm.queue()).await.unwrap();
    assert_eq!(fixture.queue.replay(&[]).await.unwrap().replayed, 1);
    let mut consumer = fixture.push.consume_push(PushLane::Fcm, 10).await.unwrap();
    assert_eq!(texts(&receive(&mut *consumer, 1).await), ["refused"]);
}

#[tokio::test]
async fn jobs_survive_the_end_of_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let partitions = Partitions::new(NonZeroU16::new(2).unwrap());
    let wait = Some(Duration::from_millis(500));
    let queue = embedded::open(folder.path(), partitions, ROOM).unwrap();
    queue.put(vec![at_once("now"), job(PushLane::Log, "later", wait)]).await.unwrap();
    let mut consumer = queue.consume_push(PushLane::Work, 10).await.unwrap();
    receive(&mut *consumer, 1).await;
    drop((consumer, queue));
    let queue = embedded::open(folder.path(), partitions, ROOM).unwrap();
    for (lane, text) in [(PushLane::Work, "now"), (PushLane::Log, "later")] {
        let mut consumer = queue.consume_push(lane, 10).await.unwrap();
        let got = receive(&mut *consumer, 1).await;
        assert_eq!((texts(&got), got[0].redelivered), (vec![text], true));
        consumer.acknowledge(&[got[0].tag]).await.unwrap();
    }
    let waiting: u64 =
        queue.depths().await.unwrap().iter().map(|depth| depth.ready + depth.unacknowledged).sum();
    assert_eq!(waiting, 0);
}
