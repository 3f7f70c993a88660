//! A lane from its queue to its provider's answers, on the embedded backends.

mod doubles;
mod rig;

use std::time::Duration;

use self::rig::{Rig, phone_of, until};
use super::send::LOOK_HOLDS;
use crate::model::Timestamp;
use crate::push::board::Rules;
use crate::push::job::{Job, Notice, Summary};
use crate::push::provider::{Kind, Notification, Outcome};
use crate::telemetry::metrics::PushDecision;

#[tokio::test]
async fn answers_that_are_settled_slowly_hold_up_no_request() {
    let mut rig = Rig::new(10);
    let (bob, cat) = (rig.said_to("bob").await, rig.said_to("cat").await);
    rig.provider.hold("bob");
    rig.provider.hold("cat");
    rig.ring(&[&bob, &cat]).await;
    rig.run();
    until("both are asked for", || {
        !rig.provider.asked("cat").is_empty() && !rig.provider.asked("bob").is_empty()
    })
    .await;
    rig.board.close();
    rig.provider.release("bob");
    until("bob's is being settled", || rig.board.is_waited_for()).await;
    rig.provider.release("cat");
    until("cat's request goes on meanwhile", || rig.provider.answered("cat") == 1).await;
    rig.board.open();
    rig.idle().await;
}

#[tokio::test]
async fn what_was_read_while_its_push_waited_for_its_turn_does_not_ring() {
    let mut rig = Rig::new(1);
    let (dan, bob, cat) = (rig.said_to("dan").await, rig.said_to("bob").await, rig.said_to("cat").await);
    rig.provider.hold("dan");
    rig.ring(&[&dan, &bob, &cat]).await;
    rig.run();
    until("the first has its turn", || !rig.provider.asked("dan").is_empty()).await;
    rig.read(&bob).await;
    // Until the look is old: nothing happens meanwhile.
    tokio::time::sleep(LOOK_HOLDS).await;
    rig.provider.release("dan");
    rig.idle().await;
    assert_eq!((rig.provider.asked("bob").len(), rig.provider.asked("cat").len()), (0, 1));
    assert_eq!((rig.decided(PushDecision::Read), rig.decided(PushDecision::Sent)), (1, 2));
}

#[tokio::test]
async fn a_request_that_is_under_way_when_the_consumer_is_lost_is_finished_and_not_made_again() {
    let mut rig = Rig::new(1);
    let (bob, cat) = (rig.said_to("bob").await, rig.said_to("cat").await);
    rig.provider.hold("bob");
    rig.ring(&[&bob, &cat]).await;
    rig.run();
    until("bob's is under way", || !rig.provider.asked("bob").is_empty()).await;
    rig.consumers.lose();
    until("the lane knows", || rig.consumers.is_lost()).await;
    rig.provider.release("bob");
    rig.idle().await;
    assert_eq!((rig.provider.asked("bob").len(), rig.provider.asked("cat").len()), (1, 1));
}

#[tokio::test]
async fn whoever_stops_finishes_its_requests_and_leaves_the_others_in_the_queue() {
    let mut rig = Rig::new(1);
    let (bob, cat) = (rig.said_to("bob").await, rig.said_to("cat").await);
    rig.provider.hold("bob");
    rig.ring(&[&bob]).await;
    rig.ring(&[&cat]).await;
    rig.run();
    until("bob's is under way", || !rig.provider.asked("bob").is_empty()).await;
    rig.stop();
    rig.provider.release("bob");
    rig.ended().await;
    assert_eq!((rig.provider.answered("bob"), rig.provider.asked("cat").len()), (1, 0));
    assert_eq!(rig.left().await, 1);
}

#[tokio::test]
async fn a_ring_that_is_settled_leaves_no_claim() {
    let mut rig = Rig::new(10);
    let (read, refused) = (rig.said_to("bob").await, rig.said_to("cat").await);
    let (expired, late) = (rig.said_to("dan").await, rig.said_to("eve").await);
    rig.read(&read).await;
    rig.provider.answers("cat", Outcome::Quarantine { reason: "another sender's".to_owned() });
    let never = Duration::from_secs(2 * 3600);
    rig.provider.answers("dan", Outcome::Retry { after: Some(never), reason: "busy".to_owned() });
    rig.ring(&[&read, &refused, &expired]).await;
    // Its device is gone when it is looked at.
    rig.store.remove_device(&phone_of(&late).user_id, &phone_of(&late).device_id).await.unwrap();
    rig.ring(&[&late]).await;
    rig.run();
    rig.idle().await;
    for notice in [&read, &refused, &expired, &late] {
        let kept = rig.kept(notice).await;
        assert!(!kept.contains("claimed"), "{kept}");
    }
}

#[tokio::test]
async fn who_dies_between_noting_a_push_and_clearing_what_was_read_leaves_the_clear_to_whoever_comes_next() {
    let mut rig = Rig::new(10);
    let (read, unread) = (rig.said_to("bob").await, rig.said_to("cat").await);
    let gone = rig.said_to("dan").await;
    rig.ring(&[&read, &unread, &gone]).await;
    rig.take_and_die().await;
    // As it was noted, without what follows; the last was cleared by its reader.
    for notice in [&read, &unread, &gone] {
        rig.on_screen(notice, |screen| screen.took(notice.seq)).await;
    }
    rig.on_screen(&gone, |screen| screen.read(gone.seq)).await;
    rig.read(&read).await;
    rig.read(&gone).await;
    rig.run();
    rig.idle().await;
    assert_eq!(clears(&rig, "bob"), [true]);
    assert_eq!((clears(&rig, "cat"), clears(&rig, "dan")), (vec![], vec![]));
}

#[tokio::test]
async fn a_summary_that_was_noted_and_read_is_cleared_by_whoever_gets_its_job_next() {
    let mut rig = Rig::new(10);
    let notice = rig.said_to("bob").await;
    rig.put(&summary_of(&notice)).await;
    rig.take_and_die().await;
    let rules = Rules { burst: 0, interval: Duration::from_secs(2) };
    rig.on_screen(&notice, |screen| {
        screen.spend(notice.seq, Timestamp::now(), rules);
        screen.took_summary(&[notice.seq]);
    })
    .await;
    rig.read(&notice).await;
    rig.run();
    rig.idle().await;
    assert_eq!(clears(&rig, "bob"), [true]);
}

#[tokio::test]
async fn what_a_process_may_have_sent_before_it_died_and_was_read_since_is_cleared() {
    let mut rig = Rig::new(10);
    let (ring, summary, other) =
        (rig.said_to("bob").await, rig.said_to("cat").await, rig.said_to("dan").await);
    rig.ring(&[&ring]).await;
    rig.take_and_die().await;
    let rules = Rules { burst: 0, interval: Duration::from_secs(2) };
    rig.on_screen(&summary, |screen| screen.spend(summary.seq, Timestamp::now(), rules)).await;
    let Job::Summary(job) = summary_of(&summary) else { unreachable!("it is one") };
    rig.put(&Job::Summary(Summary { attempts: 1, ..job })).await;
    // Nobody was asked for this one.
    rig.ring(&[&other]).await;
    for notice in [&ring, &summary, &other] {
        rig.read(notice).await;
    }
    rig.run();
    rig.idle().await;
    assert_eq!((clears(&rig, "bob"), clears(&rig, "cat")), (vec![true], vec![true]));
    assert!(clears(&rig, "dan").is_empty());
}

fn summary_of(notice: &Notice) -> Job {
    let (conversation_id, phone) = (notice.conversation_id, phone_of(notice));
    Job::Summary(Summary { conversation_id, phone, since_ms: notice.stored_ms, attempts: 0 })
}

/// Of each push to this phone, whether it clears.
fn clears(rig: &Rig, token: &str) -> Vec<bool> {
    let clears = |one: &Notification| matches!(&one.kind, Kind::Silent(silent) if silent.clear.is_some());
    rig.provider.asked(token).iter().map(clears).collect()
}
