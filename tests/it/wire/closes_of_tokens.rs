//! Close codes of tokens: invalid, expired, revoked.

use serde_json::json;

use crate::support::client::{Client, Upgrade, token, token_for};
use crate::support::server::SERVER_KEY;
use crate::support::stack::{Stack, Wanted};
use crate::support::world::World;

async fn open(world: &World) -> Client {
    Client::open(world.here, Upgrade::default()).await.unwrap()
}

#[tokio::test]
async fn close_4401_answers_a_token_that_is_no_good_in_hello() {
    let world = World::dev(&[]).await;
    for token in ["rubbish".to_owned(), token_for("alice", -60)] {
        let mut client = open(&world).await;
        client.send(json!({"type": "hello", "token": token})).await;
        assert_eq!(client.closed().await, 4401);
    }
    let mut client = open(&world).await;
    client.send(json!({"type": "hello"})).await;
    assert_eq!(client.closed().await, 4401);
}

#[tokio::test]
async fn close_4401_comes_when_the_token_expires() {
    let world = World::dev(&[]).await;
    let mut client = open(&world).await;
    client.send(json!({"type": "hello", "token": token_for("alice", 2)})).await;
    client.expect("sync").await;
    assert_eq!(client.closed().await, 4401);
}

#[tokio::test]
async fn a_token_is_good_for_the_leeway_after_its_end_and_its_socket_too() {
    let world = World::dev(&[("auth__leeway", "4s")]).await;
    let mut client = open(&world).await;
    client.send(json!({"type": "hello", "token": token_for("alice", -1)})).await;
    client.expect("sync").await;
    assert_eq!(client.closed().await, 4401);
}

#[tokio::test]
async fn close_4403_comes_to_who_signed_out_elsewhere() {
    let world = World::dev(&[]).await;
    let http = reqwest::Client::new();
    let account = json!({"user_id": "dora", "password": "correct horse"}).to_string();
    let url = format!("http://{}", world.here);
    let signed_up = http.post(format!("{url}/v1/accounts")).body(account).send().await.unwrap();
    let token = signed_up.json::<serde_json::Value>().await.unwrap()["token"].as_str().unwrap().to_owned();
    let mut socket = open(&world).await;
    socket.send(json!({"type": "hello", "token": token})).await;
    socket.expect("sync").await;
    http.delete(format!("{url}/v1/sessions")).bearer_auth(&token).send().await.unwrap();
    assert_eq!(socket.closed().await, 4403);
    let mut again = open(&world).await;
    again.send(json!({"type": "hello", "token": token})).await;
    assert_eq!(again.closed().await, 4403);
}

#[tokio::test]
async fn close_4401_comes_when_a_fresh_token_expires_that_ends_before_the_old_one() {
    let world = World::dev(&[]).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    alice.send(json!({"type": "auth", "token": token_for("alice", 2), "ref": "a"})).await;
    assert_eq!(alice.expect("welcome").await["ref"], "a");
    assert_eq!(alice.closed().await, 4401);
}

#[tokio::test]
async fn a_fresh_token_keeps_a_socket_open_past_the_end_of_the_old_one() {
    let world = World::dev(&[]).await;
    let mut alice = open(&world).await;
    alice.send(json!({"type": "hello", "token": token_for("alice", 2)})).await;
    alice.expect("welcome").await;
    alice.send(json!({"type": "auth", "token": token("alice"), "ref": "a"})).await;
    assert_eq!(alice.expect("welcome").await["ref"], "a");
    let mut other = open(&world).await;
    other.send(json!({"type": "hello", "token": token_for("alice", 2)})).await;
    other.expect("sync").await;
    // The second socket's token is younger: when it has ended, that of the first has, too.
    assert_eq!(other.closed().await, 4401);
    alice.say_to("bob", "still here").await;
}

#[tokio::test]
async fn close_4403_comes_to_a_revoked_and_to_a_deactivated_user_on_every_gateway() {
    let world = World::roles(&[]).await;
    let backend = reqwest::Client::new();
    let url = format!("http://{}/v1/users", world.here);
    for (user, call) in [
        ("eve", backend.post(format!("{url}/eve/revoke"))),
        ("dan", backend.delete(format!("{url}/dan"))),
        ("flo", backend.delete(format!("{url}/flo?erase=true"))),
    ] {
        let old = token(user);
        let (mut here, _) = Client::login_with(world.here, user, json!({"token": old})).await;
        let (mut there, _) = Client::login_with(world.there, user, json!({"token": old})).await;
        let answer = call.bearer_auth(SERVER_KEY).send().await.unwrap();
        assert_eq!(answer.status(), 204, "{user}");
        assert_eq!((here.closed().await, there.closed().await), (4403, 4403), "{user}");
        for gateway in [world.here, world.there] {
            let mut again = Client::open(gateway, Upgrade::default()).await.unwrap();
            again.send(json!({"type": "hello", "token": old})).await;
            assert_eq!(again.closed().await, 4403, "{user}");
        }
    }
}

#[tokio::test]
async fn close_4403_comes_to_who_was_revoked_while_the_gateway_heard_nothing() {
    let stack = Stack::private(&Wanted::ALL).await;
    // Nobody reads while Redis starts.
    let settings = [("gateway__heartbeat", "300s")];
    let world = World::roles_on(stack.postgres(), stack.rabbitmq(), stack.redis(), &settings).await;
    let (mut eve, _) = Client::login(world.there, "eve").await;
    let (mut alice, _) = Client::login(world.there, "alice").await;
    stack.redis().kill();
    let url = format!("http://{}/v1/users/eve/revoke", world.here);
    let revoked = reqwest::Client::new().post(url).bearer_auth(SERVER_KEY).send().await;
    assert_eq!(revoked.unwrap().status(), 204);
    stack.redis().start().await;
    assert_eq!(eve.closed().await, 4403);
    alice.expect("resync").await;
    alice.say_to("bob", "still here").await;
}
