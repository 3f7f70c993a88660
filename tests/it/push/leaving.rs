//! Whose phones ring no more, looked at just before sending.

use reqwest::Method;
use serde_json::{Value, json};

use super::scene::{Scene, group};
use crate::support::client::{Client, http};
use crate::support::server::SERVER_KEY;

super::on_both!(
    who_left_while_they_were_waited_for_hears_nothing,
    signing_out_ends_the_pushes_of_that_device,
    whoever_is_revoked_or_deactivated_gets_no_push_also_afterwards,
    a_token_that_moved_rings_for_its_last_owner_only,
);

async fn as_backend(scene: &Scene, method: Method, path: &str) -> u16 {
    let request = reqwest::Client::new()
        .request(method, format!("http://{}{path}", scene.here()))
        .bearer_auth(SERVER_KEY);
    request.body("{}").send().await.unwrap().status().as_u16()
}

/// Waits until everybody who was written to before would have been given up.
async fn deadline_passes(scene: &Scene, ann: &mut Client) {
    let phone = scene.phone("zoe", "phone").await;
    let (_zoe, _) = Client::login(scene.there(), "zoe").await;
    ann.say_to("zoe", "later").await;
    scene.rings(&phone, "later").await;
}

async fn devices(scene: &Scene, user: &str) -> usize {
    let (status, list) = http(scene.there(), user, Method::GET, "/v1/devices", None).await;
    assert_eq!(status, 200, "{list}");
    list["devices"].as_array().expect("a list").len()
}

async fn who_left_while_they_were_waited_for_hears_nothing(scene: &mut Scene) {
    let (bob, cat) = (scene.phone("bob", "phone").await, scene.phone("cat", "phone").await);
    let team = group(scene.here(), &["ann", "bob", "cat"]).await;
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    let (_bob, _) = Client::login(scene.there(), "bob").await;
    let (_cat, _) = Client::login(scene.there(), "cat").await;
    ann.say_in(&team, "for those who stay").await;
    let path = format!("/v1/conversations/{team}/members/bob");
    assert!((200..300).contains(&http(scene.there(), "bob", Method::DELETE, &path, None).await.0));
    scene.rings(&cat, "for those who stay").await;
    deadline_passes(scene, &mut ann).await;
    assert!(scene.fake.phone(&bob).is_none());
}

async fn signing_out_ends_the_pushes_of_that_device(scene: &mut Scene) {
    // Of a built-in account, its own device.
    let account = json!({"user_id": "dora", "password": "correct horse"});
    let request = reqwest::Client::new().post(format!("http://{}/v1/accounts", scene.here()));
    let made: Value = request.body(account.to_string()).send().await.unwrap().json().await.unwrap();
    let token = made["token"].as_str().expect("a token");
    let push_token = format!("{:064x}", rand::random::<u128>());
    let device = json!({"platform": "apns", "token": push_token, "app_id": "org.example.chat"});
    let as_dora = |method, path: &str| {
        reqwest::Client::new().request(method, format!("http://{}{path}", scene.there())).bearer_auth(token)
    };
    let put = as_dora(Method::PUT, "/v1/devices/phone").body(device.to_string());
    assert_eq!(put.send().await.unwrap().status().as_u16(), 200);
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    ann.say_to("dora", "one").await;
    scene.rings(&push_token, "one").await;
    assert_eq!(as_dora(Method::DELETE, "/v1/sessions").send().await.unwrap().status().as_u16(), 204);
    ann.say_to("dora", "two").await;

    // With a token of another issuer: the named device, or all of the user's.
    for device in ["phone", "tablet", "laptop"] {
        scene.phone("bob", device).await;
    }
    let out = |query: &'static str| http(scene.there(), "bob", Method::DELETE, query, None);
    assert_eq!(out("/v1/sessions?device_id=tablet").await.0, 204);
    assert_eq!(devices(scene, "bob").await, 2);
    assert_eq!(out("/v1/sessions").await.0, 204);
    assert_eq!(devices(scene, "bob").await, 0);

    let last = scene.phone("cat", "phone").await;
    ann.say_to("cat", "three").await;
    scene.rings(&last, "three").await;
    scene.does_not_show(&push_token, "two");
}

async fn whoever_is_revoked_or_deactivated_gets_no_push_also_afterwards(scene: &mut Scene) {
    let (bob, cat) = (scene.phone("bob", "phone").await, scene.phone("cat", "phone").await);
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    let mut sockets = Vec::new();
    for user in ["bob", "cat"] {
        sockets.push(Client::login(scene.there(), user).await.0);
        ann.say_to(user, "while waited for").await;
    }
    assert_eq!(as_backend(scene, Method::POST, "/v1/users/bob/revoke").await, 204);
    assert_eq!(as_backend(scene, Method::DELETE, "/v1/users/cat").await, 204);
    deadline_passes(scene, &mut ann).await;
    assert!(scene.fake.phone(&bob).is_none() && scene.fake.phone(&cat).is_none());
    // Back with a new token, which registered nothing yet.
    assert_eq!(as_backend(scene, Method::PUT, "/v1/users/cat").await, 200);
    assert_eq!(devices(scene, "cat").await, 0);
    // A token is as old as its second.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(devices(scene, "bob").await, 0);
}

async fn a_token_that_moved_rings_for_its_last_owner_only(scene: &mut Scene) {
    let token = scene.phone("bob", "phone").await;
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    let (_bob, _) = Client::login(scene.there(), "bob").await;
    ann.say_to("bob", "for bob").await;
    let device = json!({"platform": "apns", "token": token, "app_id": "org.example.chat"});
    scene.register("eve", "hers", device).await;
    deadline_passes(scene, &mut ann).await;
    ann.say_to("eve", "for eve").await;
    scene.rings(&token, "for eve").await;
    scene.does_not_show(&token, "for bob");
    assert_eq!(devices(scene, "bob").await, 0);
}
