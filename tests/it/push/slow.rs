//! A provider that takes its time.

use std::time::Duration;

use tidings::push::fake::{Fault, Rule, Service};
use tokio::time::Instant;

use super::scene::Scene;
use crate::support::client::Client;

super::on_both!(a_slow_answer_holds_up_no_other_push,);

/// The provider answers within it, so it is no time-out.
const SLOW: Duration = Duration::from_secs(8);

async fn a_slow_answer_holds_up_no_other_push(scene: &mut Scene) {
    let quick = scene.android("quick", "phone").await;
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    let mut slow = Vec::new();
    for number in 0..24 {
        let user = format!("slow-{number}");
        let token = scene.android(&user, "phone").await;
        let fault = Fault::Slow(SLOW.as_millis() as u64);
        scene.fake.fault(Service::Fcm, Rule { token: Some(token.clone()), ..Rule::once(fault) });
        slow.push((user, token));
    }
    let began = Instant::now();
    // One by one, so that they are not taken together.
    for (number, (user, _)) in slow.iter().enumerate() {
        ann.say_to(user, "slow").await;
        let asked = |scene: &Scene| scene.fake.requests(Service::Fcm) > number as u64;
        while !asked(scene) && began.elapsed() < SLOW / 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    ann.say_to("quick", "quick").await;
    scene.rings(&quick, "quick").await;
    assert!(began.elapsed() < SLOW, "it waited for the slow ones: {:?}", began.elapsed());
    for (_, token) in &slow {
        scene.rings(token, "slow").await;
    }
}
