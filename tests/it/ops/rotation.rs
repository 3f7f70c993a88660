//! Every secret is replaced, as the runbook says, and nobody notices who need not.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::KeyPair;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_postgres::NoTls;

use super::until;
use crate::support::client::{http, token};
use crate::support::load::Load;
use crate::support::stack::{Stack, Wanted};
use crate::support::world::World;

/// A rolling restart: a gateway and a worker at a time.
async fn roll(world: &mut World) {
    for (gateway, worker) in world.servers.iter_mut().zip(&mut world.workers) {
        tokio::join!(gateway.replace(), worker.replace());
    }
}

async fn sql(url: &str, statement: &str) -> Vec<tokio_postgres::SimpleQueryMessage> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.simple_query(statement).await.unwrap()
}

async fn redis(url: &str, command: &[&str]) -> fred::types::Value {
    use fred::prelude::*;
    let client = Builder::from_config(Config::from_url(url).unwrap()).build().unwrap();
    client.init().await.unwrap();
    let custom = fred::types::CustomCommand::new(command[0].to_owned(), None, false);
    let arguments: Vec<String> = command[1..].iter().map(|part| (*part).to_owned()).collect();
    let answer = client.custom(custom, arguments).await.unwrap();
    client.quit().await.unwrap();
    answer
}

/// `amqp://guest:guest@…` or `redis://…` for another user.
fn as_user(url: &str, user: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    format!("{scheme}://{user}:password-of-{user}@{place}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_credentials_of_all_services_are_replaced_under_load_and_nothing_is_lost() {
    let stack = Stack::private(&Wanted::ALL).await;
    let (rabbitmq, admin) = (stack.rabbitmq(), stack.redis().url());
    let make = async |user: &str| {
        rabbitmq.control(&["add_user", user, &format!("password-of-{user}")]).await;
        rabbitmq.control(&["set_permissions", user, ".*", ".*", ".*"]).await;
        let password = format!(">password-of-{user}");
        redis(admin, &["ACL", "SETUSER", user, "on", &password, "~*", "&*", "+@all"]).await;
    };
    make("first").await;
    let database = stack.postgres().database().await;
    let name = database.rsplit_once('/').unwrap().1;
    sql(&database, &format!("CREATE ROLE first LOGIN; ALTER DATABASE {name} OWNER TO first")).await;
    let settings = [
        ("postgres__url", as_user(&database, "first")),
        ("rabbitmq__url", as_user(rabbitmq.url(), "first")),
        ("redis__url", as_user(admin, "first")),
    ];
    let borrowed = settings.each_ref().map(|(key, value)| (*key, value.as_str()));
    let mut world = World::roles_on(stack.postgres(), rabbitmq, stack.redis(), &borrowed).await;
    make("second").await;
    sql(&database, "CREATE ROLE second LOGIN; GRANT first TO second").await;
    let load = Load { sockets: 100, rate: 100, duration: Duration::from_secs(100) };
    let load = tokio::spawn(load.run(&world));

    world.set("postgres__url", &as_user(&database, "second"));
    roll(&mut world).await;
    sql(&database, "ALTER ROLE first NOLOGIN").await;
    let left = sql(&database, "SELECT 1 FROM pg_stat_activity WHERE usename = 'first'").await;
    assert!(!left.iter().any(|message| matches!(message, tokio_postgres::SimpleQueryMessage::Row(_))));

    world.set("rabbitmq__url", &as_user(rabbitmq.url(), "second"));
    roll(&mut world).await;
    let users = rabbitmq.control(&["-q", "list_connections", "--no-table-headers", "user"]).await;
    assert!(users.contains("second") && !users.contains("first"), "{users}");
    rabbitmq.control(&["delete_user", "first"]).await;

    world.set("redis__url", &as_user(admin, "second"));
    roll(&mut world).await;
    let killed = redis(admin, &["ACL", "DELUSER", "first"]).await;
    assert_eq!(killed.as_u64(), Some(1));

    assert!(!load.is_finished(), "the load ended before the last secret was replaced");
    let report = load.await.expect("the generator does not panic").expect("the run can be made");
    println!(
        "rotation: {} accepted, {} stored, errors {:?}, closes {:?}, longest without a socket {} ms",
        report.verdict.accepted,
        report.verdict.stored,
        report.totals.errors,
        report.totals.closes,
        report.totals.longest_away_ms
    );
    assert!(report.is_clean() && report.store_was_read, "{:?}", report.verdict.examples);
    assert!(report.verdict.accepted > 8000);
    assert_eq!(report.totals.closes.keys().collect::<Vec<_>>(), [&1012]);
}

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
