//! A lane from its queue to its provider's answers, on the embedded backends.

mod doubles;
mod rig;

use self::rig::{Rig, until};
use super::send::LOOK_HOLDS;
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
