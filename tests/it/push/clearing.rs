//! What was read elsewhere goes from the phone.

use serde_json::json;
use tidings::push::fake::{Fault, Rule, Service};

use super::scene::{Scene, place};
use crate::support::client::Client;

super::on_both!(
    a_read_elsewhere_clears_the_phone_and_corrects_its_badge,
    a_read_that_overtakes_the_note_of_its_push_clears_the_phone_all_the_same,
    a_badge_is_corrected_on_a_phone_that_shows_nothing_of_what_was_read,
);

async fn a_read_elsewhere_clears_the_phone_and_corrects_its_badge(scene: &mut Scene) {
    let phone = scene.phone("bob", "phone").await;
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    ann.say_to("bob", "one").await;
    ann.say_to("bob", "two").await;
    scene.rings(&phone, "one").await;
    scene.rings(&phone, "two").await;
    let (conversation, seq) = place(&mut ann, "one").await;
    let (mut desktop, _) = Client::login_with(scene.there(), "bob", json!({"device_id": "desktop"})).await;
    desktop.send(json!({"type": "read", "conversation_id": conversation, "seq": seq})).await;
    let cleared = scene.shows(&phone, "a clear", |phone| phone.alerts.len() == 1).await;
    assert_eq!((cleared.badge, cleared.rings), (Some(1), 2));
    // An answer reads what came before it.
    desktop.say_to("ann", "I am here").await;
    let cleared = scene.shows(&phone, "a clear", |phone| phone.alerts.is_empty()).await;
    assert_eq!((cleared.badge, cleared.rings), (Some(0), 2));
}

async fn a_read_that_overtakes_the_note_of_its_push_clears_the_phone_all_the_same(scene: &mut Scene) {
    let phone = scene.phone("bob", "phone").await;
    // On the phone at once, while the stage hears of it much later than of the read.
    let late = Rule { delivered: true, ..Rule::once(Fault::Slow(2500)) };
    scene.fake.fault(Service::Apns, late);
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    ann.say_to("bob", "one").await;
    scene.rings(&phone, "one").await;
    let (conversation, seq) = place(&mut ann, "one").await;
    let (mut desktop, _) = Client::login_with(scene.there(), "bob", json!({"device_id": "desktop"})).await;
    desktop.send(json!({"type": "read", "conversation_id": conversation, "seq": seq})).await;
    let fits = |f: &serde_json::Value| f["type"] == "receipt" && f["read_seq"] == seq;
    ann.find(fits, "the read").await;
    let cleared = scene.shows(&phone, "a clear", |phone| phone.alerts.is_empty()).await;
    assert_eq!(cleared.badge, Some(0));
}

async fn a_badge_is_corrected_on_a_phone_that_shows_nothing_of_what_was_read(scene: &mut Scene) {
    let phone = scene.phone("bob", "phone").await;
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    let (mut cat, _) = Client::login(scene.here(), "cat").await;
    let (mut desktop, _) = Client::login_with(scene.there(), "bob", json!({"device_id": "desktop"})).await;
    ann.say_to("bob", "seen").await;
    let (conversation, seq) = place(&mut desktop, "seen").await;
    desktop.send(json!({"type": "ack", "conversation_id": conversation, "seq": seq})).await;
    scene.decided("acknowledged", 1.0).await;
    cat.say_to("bob", "not seen").await;
    scene.rings(&phone, "not seen").await;
    scene.shows(&phone, "both count", |phone| phone.badge == Some(2)).await;
    // The stage notes the badge when it has heard the provider's answer.
    scene.answered(1.0).await;
    desktop.send(json!({"type": "read", "conversation_id": conversation, "seq": seq})).await;
    let corrected = scene.shows(&phone, "a badge", |phone| phone.badge == Some(1)).await;
    assert_eq!((corrected.alerts.len(), corrected.rings, corrected.silent), (1, 1, 1));
}
