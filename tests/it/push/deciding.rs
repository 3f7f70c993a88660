//! Whether a phone rings.

use reqwest::Method;
use serde_json::json;
use tokio::time::Instant;

use super::scene::{ACK_DEADLINE, Scene, group, place};
use crate::support::client::{Client, http};

super::on_both!(
    an_offline_users_phone_rings_at_once_and_shows_who_wrote_what,
    who_acknowledges_hears_no_phone,
    a_silent_socket_is_given_up_after_the_deadline,
    a_user_whose_sockets_are_all_in_the_background_is_not_waited_for,
    an_idle_desktop_silences_no_phone,
    a_muted_conversation_rings_nobody_until_it_is_not_muted_any_more,
    a_group_rings_those_who_want_it,
    what_was_deleted_or_read_before_it_was_sent_does_not_ring,
    who_has_signed_out_or_left_or_is_blocked_does_not_ring,
);

async fn an_offline_users_phone_rings_at_once_and_shows_who_wrote_what(scene: &mut Scene) {
    let (phone, android) = (scene.phone("bob", "phone").await, scene.android("bob", "android").await);
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    ann.say_to("bob", "are you there?").await;
    let shown = scene.rings(&phone, "are you there?").await;
    assert_eq!(shown.title.as_deref(), Some("ann"));
    assert_eq!((shown.data["type"].as_str(), shown.data["seq"].as_i64()), (Some("message"), Some(1)));
    scene.rings(&android, "are you there?").await;
    ann.say_to("bob", "hello?").await;
    scene.rings(&phone, "hello?").await;
    let phone = scene.fake.phone(&phone).unwrap();
    assert_eq!((phone.badge, phone.alerts.len(), phone.repeats), (Some(2), 2, 0));
}

async fn who_acknowledges_hears_no_phone(scene: &mut Scene) {
    let phone = scene.phone("bob", "phone").await;
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    let (mut bob, _) = Client::login_with(scene.there(), "bob", json!({"device_id": "desktop"})).await;
    ann.say_to("bob", "first").await;
    let (conversation, seq) = place(&mut bob, "first").await;
    bob.send(json!({"type": "ack", "conversation_id": conversation, "seq": seq})).await;
    scene.decided("acknowledged", 1.0).await;
    assert!(scene.fake.phone(&phone).is_none());
}

async fn a_silent_socket_is_given_up_after_the_deadline(scene: &mut Scene) {
    let phone = scene.phone("bob", "phone").await;
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    let (mut bob, _) = Client::login(scene.there(), "bob").await;
    let began = Instant::now();
    ann.say_to("bob", "in the tunnel").await;
    bob.message("in the tunnel").await;
    scene.rings(&phone, "in the tunnel").await;
    assert!(began.elapsed() >= ACK_DEADLINE, "{:?}", began.elapsed());
}

async fn a_user_whose_sockets_are_all_in_the_background_is_not_waited_for(scene: &mut Scene) {
    let phone = scene.phone("bob", "phone").await;
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    let (mut bob, _) = Client::login_with(scene.there(), "bob", json!({"active": false})).await;
    ann.say_to("bob", "one").await;
    scene.rings(&phone, "one").await;
    scene.decided("sent", 1.0).await;
    // Back in the foreground, and there in time.
    bob.send(json!({"type": "state", "active": true})).await;
    bob.send(json!({"type": "ping"})).await;
    bob.expect("pong").await;
    ann.say_to("bob", "two").await;
    let (conversation, seq) = place(&mut bob, "two").await;
    bob.send(json!({"type": "ack", "conversation_id": conversation, "seq": seq})).await;
    scene.decided("acknowledged", 1.0).await;
    scene.does_not_show(&phone, "two");
}

async fn an_idle_desktop_silences_no_phone(scene: &mut Scene) {
    let phone = scene.phone("bob", "phone").await;
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    let hello = json!({"device_id": "desktop", "active": false});
    let (mut desktop, _) = Client::login_with(scene.there(), "bob", hello).await;
    let (_here, _) = Client::login_with(scene.there(), "bob", json!({"device_id": "tablet"})).await;
    ann.say_to("bob", "lunch?").await;
    let (conversation, seq) = place(&mut desktop, "lunch?").await;
    desktop.send(json!({"type": "ack", "conversation_id": conversation, "seq": seq})).await;
    scene.rings(&phone, "lunch?").await;
}

async fn a_muted_conversation_rings_nobody_until_it_is_not_muted_any_more(scene: &mut Scene) {
    let phone = scene.phone("bob", "phone").await;
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    ann.say_to("bob", "one").await;
    let (conversation, _) = place(&mut ann, "one").await;
    scene.rings(&phone, "one").await;
    let path = format!("/v1/conversations/{conversation}/members/me");
    let mute = json!({"muted_until": "2100-01-01T00:00:00.000Z"});
    assert_eq!(http(scene.there(), "bob", Method::PATCH, &path, Some(mute)).await.0, 200);
    ann.say_to("bob", "two").await;
    scene.decided("muted", 1.0).await;
    assert_eq!(
        http(scene.there(), "bob", Method::PATCH, &path, Some(json!({"muted_until": null}))).await.0,
        200
    );
    ann.say_to("bob", "three").await;
    scene.rings(&phone, "three").await;
    scene.does_not_show(&phone, "two");
}

async fn a_group_rings_those_who_want_it(scene: &mut Scene) {
    let (bob, cat) = (scene.phone("bob", "phone").await, scene.phone("cat", "phone").await);
    let own = scene.phone("ann", "phone").await;
    let team = group(scene.here(), &["ann", "bob", "cat", "dan"]).await;
    let path = format!("/v1/conversations/{team}/members/me");
    let mentions = json!({"notify": "mentions"});
    assert_eq!(http(scene.there(), "cat", Method::PATCH, &path, Some(mentions)).await.0, 200);
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    ann.say_in(&team, "all of you").await;
    let shown = scene.rings(&bob, "all of you").await;
    assert_eq!(shown.title.as_deref(), Some("ann in Team"));
    assert_eq!(shown.thread.as_deref(), Some(team.as_str()));
    let id = uuid::Uuid::new_v4();
    ann.send(json!({"type": "send", "conversation_id": team, "client_id": id, "text": "you, cat", "mentions": ["cat"]})).await;
    scene.rings(&cat, "you, cat").await;
    scene.does_not_show(&cat, "all of you");
    assert!(scene.fake.phone(&own).is_none(), "nobody's own message rings");
}

async fn what_was_deleted_or_read_before_it_was_sent_does_not_ring(scene: &mut Scene) {
    let phone = scene.phone("bob", "phone").await;
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    let (mut bob, _) = Client::login(scene.there(), "bob").await;
    ann.say_to("bob", "a slip").await;
    let (conversation, seq) = place(&mut bob, "a slip").await;
    let delete = json!({"type": "delete", "conversation_id": conversation, "target_seq": seq, "client_id": uuid::Uuid::new_v4()});
    ann.send(delete).await;
    scene.decided("deleted", 1.0).await;
    // Read on a socket that never acknowledged.
    ann.say_to("bob", "read at once").await;
    let (_, seq) = place(&mut bob, "read at once").await;
    bob.send(json!({"type": "read", "conversation_id": conversation, "seq": seq})).await;
    scene.decided("read", 1.0).await;
    assert!(scene.fake.phone(&phone).is_none());
}

async fn who_has_signed_out_or_left_or_is_blocked_does_not_ring(scene: &mut Scene) {
    let (bob, cat) = (scene.phone("bob", "phone").await, scene.phone("cat", "phone").await);
    let dan = scene.phone("dan", "phone").await;
    let team = group(scene.here(), &["ann", "bob", "cat", "dan"]).await;
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    let mut sockets = Vec::new();
    for user in ["bob", "cat", "dan"] {
        sockets.push(Client::login(scene.there(), user).await.0);
    }
    ann.say_in(&team, "too late for some").await;
    // While they are waited for.
    assert_eq!(http(scene.there(), "bob", Method::DELETE, "/v1/devices/phone", None).await.0, 204);
    assert_eq!(http(scene.there(), "cat", Method::PUT, "/v1/blocks/ann", None).await.0, 204);
    scene.rings(&dan, "too late for some").await;
    scene.decided("blocked", 1.0).await;
    assert!(scene.fake.phone(&bob).is_none() && scene.fake.phone(&cat).is_none());
}
