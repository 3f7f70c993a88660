//! What signs tokens and what lets a backend in.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::KeyPair;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::{http, token};
use crate::support::until;
use crate::support::world::World;

/// `GET /v1/me` at both gateways.
async fn answers(world: &World, token: &str) -> [u16; 2] {
    let ask = async |at| {
        let request = reqwest::Client::new().get(format!("http://{at}/v1/me")).bearer_auth(token);
        request.send().await.unwrap().status().as_u16()
    };
    [ask(world.here).await, ask(world.there).await]
}

/// What only an application's backend may do, at both gateways.
async fn backend_answers(world: &World, key: &str) -> [u16; 2] {
    let ask = async |at| {
        let request = reqwest::Client::new().put(format!("http://{at}/v1/users/eve")).bearer_auth(key);
        let request = request.header("content-type", "application/json").body("{\"display_name\": \"Eve\"}");
        request.send().await.unwrap().status().as_u16()
    };
    [ask(world.here).await, ask(world.there).await]
}

#[tokio::test]
async fn a_server_key_is_replaced_without_a_moment_in_which_none_is_valid() {
    let mut world = World::roles(&[("auth__server_keys", "old-server-key")]).await;
    assert_eq!(backend_answers(&world, "old-server-key").await, [200, 200]);
    world.set("auth__server_keys", "old-server-key,new-server-key");
    for index in 0..2 {
        world.servers[index].replace().await;
        assert_eq!(backend_answers(&world, "old-server-key").await, [200, 200]);
    }
    assert_eq!(backend_answers(&world, "new-server-key").await, [200, 200]);
    world.set("auth__server_keys", "new-server-key");
    for index in 0..2 {
        world.servers[index].replace().await;
        assert_eq!(backend_answers(&world, "new-server-key").await, [200, 200]);
    }
    assert_eq!(backend_answers(&world, "old-server-key").await, [401, 401]);
}

#[tokio::test]
async fn the_key_that_signs_tokens_is_replaced_without_a_restart_when_it_is_a_pair() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.pem");
    let [old, new] = [KeyPair::generate().unwrap(), KeyPair::generate().unwrap()];
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let [by_old, by_new] = [&old, &new].map(|key| {
        let claims = json!({"sub": "alice", "iat": now, "exp": now + 3600});
        let key = EncodingKey::from_ec_pem(key.serialize_pem().as_bytes()).unwrap();
        encode(&Header::new(Algorithm::ES256), &claims, &key).unwrap()
    });
    std::fs::write(&file, old.public_key_pem()).unwrap();
    let world = World::roles(&[("auth__public_key_files", file.to_str().unwrap())]).await;
    assert_eq!(answers(&world, &by_old).await, [200, 200]);
    assert_eq!(answers(&world, &by_new).await, [401, 401]);
    std::fs::write(&file, old.public_key_pem() + &new.public_key_pem()).unwrap();
    until("both are valid", async || answers(&world, &by_new).await == [200, 200]).await;
    assert_eq!(answers(&world, &by_old).await, [200, 200]);
    std::fs::write(&file, new.public_key_pem()).unwrap();
    until("the old one is not", async || answers(&world, &by_old).await == [401, 401]).await;
    assert_eq!(answers(&world, &by_new).await, [200, 200]);
}

#[tokio::test]
async fn of_a_shared_secret_and_of_the_signing_secret_one_is_valid_at_a_time() {
    let mut world = World::roles(&[]).await;
    let account = json!({"user_id": "dora", "password": "a long enough password"});
    let (status, _) = post(&world, "/v1/accounts", &account).await;
    assert_eq!(status, 201);
    let (_, session) = post(&world, "/v1/sessions", &account).await;
    let session = session["token"].as_str().unwrap().to_owned();
    let by_old = token("alice");
    assert_eq!(answers(&world, &by_old).await, [200, 200]);
    assert_eq!(answers(&world, &session).await, [200, 200]);
    world.set("auth__hs256_secret", "another secret of the application, also long enough");
    world.set("auth__signing_secret", "one more secret of at least thirty-two bytes");
    world.servers[0].replace().await;
    assert_eq!(answers(&world, &by_old).await, [401, 200], "half of them know the new one");
    world.servers[1].replace().await;
    assert_eq!(answers(&world, &by_old).await, [401, 401]);
    assert_eq!(answers(&world, &session).await, [401, 401]);
    let (status, again) = post(&world, "/v1/sessions", &account).await;
    assert_eq!(status, 200);
    assert_eq!(answers(&world, again["token"].as_str().unwrap()).await, [200, 200]);
    let (status, _) = http(world.here, "alice", Method::GET, "/v1/me", None).await;
    assert_eq!(status, 401);
}

async fn post(world: &World, path: &str, body: &Value) -> (u16, Value) {
    let request = reqwest::Client::new().post(format!("http://{}{path}", world.there));
    let answer =
        request.header("content-type", "application/json").body(body.to_string()).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}
