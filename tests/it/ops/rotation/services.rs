//! The credentials of Postgres, RabbitMQ and Redis.

use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::ringing::{EACH_RINGS, Ringing};
use super::roll;
use crate::push::scene::Scene;
use crate::support::load::Load;
use crate::support::stack::{Stack, Wanted};

/// The first column of what a statement answers.
async fn sql(url: &str, statement: &str) -> Vec<String> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let rows = client.simple_query(statement).await.unwrap();
    let rows = rows.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    rows.collect()
}

/// Everybody but its owner needs a password from now on.
async fn ask_for_passwords(url: &str) {
    let [file] = &sql(url, "SHOW hba_file").await[..] else { panic!("there is one such file") };
    let rules = "('host all postgres 127.0.0.1/32 trust'), ('host all all 127.0.0.1/32 scram-sha-256')";
    sql(url, &format!("COPY (VALUES {rules}) TO '{file}'; SELECT pg_reload_conf()")).await;
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
    ask_for_passwords(&database).await;
    let first = "CREATE ROLE first LOGIN PASSWORD 'password-of-first'";
    sql(&database, &format!("{first}; ALTER DATABASE {name} OWNER TO first")).await;
    let settings = [
        ("postgres__url", as_user(&database, "first")),
        ("rabbitmq__url", as_user(rabbitmq.url(), "first")),
        ("redis__url", as_user(admin, "first")),
    ];
    let mut borrowed = settings.each_ref().map(|(key, value)| (*key, value.as_str())).to_vec();
    borrowed.push(EACH_RINGS);
    let mut scene = Scene::roles_on(&stack, &borrowed).await;
    make("second").await;
    sql(&database, "CREATE ROLE second LOGIN PASSWORD 'password-of-second'; GRANT first TO second").await;
    let phone = scene.phone("bob", "phone").await;
    let load = Load { sockets: 100, rate: 100, duration: Duration::from_secs(75) };
    let load = tokio::spawn(load.run(&scene.world));
    let ringing = Ringing::start(&scene, &[("bob", &phone)]);
    let began = Instant::now();

    scene.world.set("postgres__url", &as_user(&database, "second"));
    roll(&mut scene.world).await;
    sql(&database, "ALTER ROLE first NOLOGIN").await;
    let left = sql(&database, "SELECT pid FROM pg_stat_activity WHERE usename = 'first'").await;
    assert_eq!(left, [""; 0]);
    let migrated = scene.world.command(&["migrate"]).await;
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));

    scene.world.set("rabbitmq__url", &as_user(rabbitmq.url(), "second"));
    roll(&mut scene.world).await;
    let users = rabbitmq.control(&["-q", "list_connections", "--no-table-headers", "user"]).await;
    assert!(users.contains("second") && !users.contains("first"), "{users}");
    rabbitmq.control(&["delete_user", "first"]).await;

    scene.world.set("redis__url", &as_user(admin, "second"));
    roll(&mut scene.world).await;
    let killed = redis(admin, &["ACL", "DELUSER", "first"]).await;
    assert_eq!(killed.as_u64(), Some(1));

    assert!(!load.is_finished(), "the load ended before the last secret was replaced");
    let rang = ringing.end(&scene).await;
    let report = load.await.expect("the generator does not panic").expect("the run can be made");
    println!(
        "rotation in {:.1?}: {} accepted, {} stored, {rang} rang, errors {:?}, closes {:?}, longest without a socket {} ms",
        began.elapsed(),
        report.verdict.accepted,
        report.verdict.stored,
        report.totals.errors,
        report.totals.closes,
        report.totals.longest_away_ms
    );
    assert!(report.is_clean() && report.store_was_read, "{:?}", report.verdict.examples);
    assert!(report.verdict.accepted > 6000);
    assert_eq!(report.totals.closes.keys().collect::<Vec<_>>(), [&1012]);
}
