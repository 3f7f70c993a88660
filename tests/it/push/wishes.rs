//! When users want their phones to ring.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::scene::{Scene, group, place};
use crate::support::client::{Client, http};

super::on_both!(
    nothing_rings_in_the_hours_that_a_user_chose_on_their_own_clock,
    who_holds_pushes_back_hears_only_of_what_nobody_read,
    each_conversation_rings_as_its_member_chose,
);

async fn wish(scene: &Scene, user: &str, wishes: Value) {
    http(scene.there(), user, Method::GET, "/v1/me", None).await;
    let body = json!({ "push": wishes });
    let (status, answer) = http(scene.there(), user, Method::PATCH, "/v1/me", Some(body)).await;
    assert_eq!(status, 200, "{answer}");
}

/// An hour before and after this minute of the day, in minutes ahead of UTC.
fn around_now(ahead: u64) -> (String, String) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 60;
    let clock = |minute: u64| format!("{:02}:{:02}", minute / 60 % 24, minute % 60);
    (clock(now + ahead - 60), clock(now + ahead + 60))
}

async fn nothing_rings_in_the_hours_that_a_user_chose_on_their_own_clock(scene: &mut Scene) {
    // Tokyo is nine hours ahead, all the year.
    let (from, until) = around_now(9 * 60);
    let hours = |zone: &str| json!({"do_not_disturb": {"from": from, "until": until, "time_zone": zone}});
    let (bob, cat) = (scene.phone("bob", "phone").await, scene.phone("cat", "phone").await);
    wish(scene, "bob", hours("Asia/Tokyo")).await;
    wish(scene, "cat", hours("UTC")).await;
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    ann.say_to("bob", "psst").await;
    scene.decided("muted", 1.0).await;
    ann.say_to("cat", "good morning").await;
    scene.rings(&cat, "good morning").await;
    assert!(scene.fake.phone(&bob).is_none());
    wish(scene, "bob", json!({"do_not_disturb": null})).await;
    ann.say_to("bob", "awake?").await;
    scene.rings(&bob, "awake?").await;
    scene.does_not_show(&bob, "psst");
}

async fn who_holds_pushes_back_hears_only_of_what_nobody_read(scene: &mut Scene) {
    let phone = scene.phone("bob", "phone").await;
    wish(scene, "bob", json!({"hold_until_unread": "3s"})).await;
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    let began = Instant::now();
    ann.say_to("bob", "unread").await;
    scene.rings(&phone, "unread").await;
    assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());
    ann.say_to("bob", "read").await;
    let (conversation, seq) = place(&mut ann, "read").await;
    let (mut desktop, _) = Client::login_with(scene.there(), "bob", json!({"device_id": "desktop"})).await;
    desktop.send(json!({"type": "read", "conversation_id": conversation, "seq": seq})).await;
    scene.decided("read", 1.0).await;
    scene.does_not_show(&phone, "read");
}

async fn each_conversation_rings_as_its_member_chose(scene: &mut Scene) {
    let phone = scene.phone("bob", "phone").await;
    let team = group(scene.here(), &["ann", "bob", "cat"]).await;
    let path = format!("/v1/conversations/{team}/members/me");
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    for (wish, text, decisions) in [
        (json!({"notify": "none"}), "@bob: none", 1.0),
        (json!({"notify": "all", "muted_until": "2100-01-01T00:00:00.000Z"}), "@bob: muted", 2.0),
    ] {
        assert_eq!(http(scene.there(), "bob", Method::PATCH, &path, Some(wish)).await.0, 200);
        let client_id = uuid::Uuid::new_v4();
        ann.send(json!({"type": "send", "conversation_id": team, "client_id": client_id, "text": text, "mentions": ["bob"]})).await;
        scene.decided("muted", decisions).await;
    }
    let again = json!({"notify": "mentions", "muted_until": null});
    assert_eq!(http(scene.there(), "bob", Method::PATCH, &path, Some(again)).await.0, 200);
    ann.say_in(&team, "not for bob").await;
    scene.decided("muted", 3.0).await;
    // A direct message speaks to its recipient, whatever is chosen elsewhere.
    ann.say_to("bob", "for bob").await;
    scene.rings(&phone, "for bob").await;
    assert_eq!(scene.fake.phone(&phone).unwrap().alerts.len(), 1);
}
