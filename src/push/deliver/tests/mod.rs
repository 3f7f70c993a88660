//! A lane from its queue to its provider's answers, on the embedded backends.

mod doubles;
mod rig;

use self::rig::{Rig, until};

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
