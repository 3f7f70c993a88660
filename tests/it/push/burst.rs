//! Many messages at once.

use serde_json::json;

use super::scene::{Scene, place};
use crate::support::client::Client;

super::on_both!(
    more_than_five_alerts_become_a_summary_that_replaces_itself,
    a_summary_does_not_count_what_was_deleted,
);

async fn more_than_five_alerts_become_a_summary_that_replaces_itself(scene: &mut Scene) {
    let phone = scene.phone("bob", "phone").await;
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    for number in 1..=12 {
        ann.say_to("bob", &format!("message {number}")).await;
    }
    let all_told = "7 new messages in ann";
    let shown = scene.rings(&phone, all_told).await;
    assert_eq!(shown.data["count"].as_i64(), Some(7));
    let before = scene.shows(&phone, "five and a summary", |phone| phone.alerts.len() == 6).await;
    ann.say_to("bob", "message 13").await;
    scene.rings(&phone, "8 new messages in ann").await;
    let after = scene.fake.phone(&phone).unwrap();
    assert_eq!(after.alerts.len(), 6, "{after:?}");
    assert_eq!(after.rings, before.rings + 1);
    assert_eq!(after.badge, Some(13));
}

async fn a_summary_does_not_count_what_was_deleted(scene: &mut Scene) {
    let phone = scene.phone("bob", "phone").await;
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    for number in 1..=8 {
        ann.say_to("bob", &format!("message {number}")).await;
    }
    scene.rings(&phone, "3 new messages in ann").await;
    // Usually the last three are in the summary; on a busy machine others may be.
    let alone = scene.fake.phone(&phone).unwrap().alerts;
    let texts = (1..=8).map(|number| format!("message {number}"));
    let mut summed = texts.filter(|text| !alone.iter().any(|shown| shown.body.as_ref() == Some(text)));
    let (conversation, seq) = place(&mut ann, &summed.next().expect("three are")).await;
    let client_id = uuid::Uuid::new_v4();
    ann.send(
        json!({"type": "delete", "conversation_id": conversation, "target_seq": seq, "client_id": client_id}),
    )
    .await;
    ann.find(|frame| frame["type"] == "message" && frame["kind"] == "delete", "the deletion").await;
    ann.say_to("bob", "message 9").await;
    ann.say_to("bob", "message 10").await;
    let shown = scene.shows(&phone, "a summary", |phone| {
        phone.alerts.iter().any(|shown| shown.body.as_deref() == Some("4 new messages in ann"))
    });
    assert_eq!(shown.await.alerts.len(), 6);
}
