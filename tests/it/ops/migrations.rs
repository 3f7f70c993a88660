//! The schema from release to release. `migrations/releases` keeps the schema of each, which is what an upgrade begins with.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reqwest::Method;
use serde_json::json;
use tokio_postgres::{Client as Database, NoTls};

use super::programs;
use crate::support::client::{Client, http};
use crate::support::stack::Stack;
use crate::support::world::World;

async fn connect(url: &str) -> Database {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Version and schema of each release, the oldest first.
fn kept() -> BTreeMap<Vec<u32>, (PathBuf, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/releases");
    let files = std::fs::read_dir(folder).expect("it is there").map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|ending| ending == "sql"))
        .map(|path| {
            let version = path.file_stem().unwrap().to_str().unwrap();
            let numbers = version.split('.').map(|part| part.parse().expect("VERSION.sql")).collect();
            let text = std::fs::read_to_string(&path).unwrap();
            (numbers, (path, text))
        })
        .collect()
}

fn this_release() -> Vec<u32> {
    env!("CARGO_PKG_VERSION").split('.').map(|part| part.parse().unwrap()).collect()
}

/// A database that `tidings migrate` of this release has seen.
async fn migrated(before: Option<&str>) -> String {
    let url = Stack::shared_postgres().await.database().await;
    if let Some(sql) = before {
        connect(&url).await.batch_execute(sql).await.expect("the fixture can be loaded");
    }
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tidings"));
    command.arg("migrate").env("TIDINGS__POSTGRES__URL", &url);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    url
}

/// Every column, constraint, index and storage parameter, in words that do not depend on Postgres' release.
async fn described(url: &str) -> Vec<String> {
    const SQL: &str = "
        SELECT format('column %s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default)
               || coalesce(' ' || collation_name, '') AS line
        FROM information_schema.columns WHERE table_schema = 'public'
        UNION ALL SELECT format('constraint %s %s', conrelid::regclass, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f', 'p', 'u')
        UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT format('function %s', pg_get_functiondef(oid))
        FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT format('options %s %s', relname, reloptions)
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
        ORDER BY 1";
    connect(url).await.query(SQL, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// What `pg_dump` says, without what belongs to the server and not to the schema.
async fn dumped(url: &str) -> String {
    let schema = programs::run(&["pg_dump", "--schema-only", "--no-owner", "--no-privileges", url]).await;
    let versions = ["pg_dump", "--data-only", "--inserts", "--table=schema_migrations", url];
    let versions = programs::run(&versions).await;
    let own = |line: &&str| {
        let skipped = ["--", "SET ", "SELECT pg_catalog.set_config", "\\"];
        !line.is_empty() && !skipped.iter().any(|start| line.starts_with(start))
    };
    schema.lines().chain(versions.lines()).filter(own).map(|line| format!("{line}\n")).collect()
}

#[tokio::test]
async fn the_migrations_make_the_schema_that_is_kept_for_this_release() {
    let made = migrated(None).await;
    if std::env::var_os("TIDINGS_WRITE_SCHEMA").is_some() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/releases/");
        std::fs::write(format!("{folder}{}.sql", env!("CARGO_PKG_VERSION")), dumped(&made).await).unwrap();
    }
    let releases = kept();
    let (_, fixture) = releases.get(&this_release()).expect("this release's schema is kept");
    let loaded = Stack::shared_postgres().await.database().await;
    connect(&loaded).await.batch_execute(fixture).await.unwrap();
    assert_eq!(
        described(&loaded).await,
        described(&made).await,
        "before the release of this version write it anew: TIDINGS_WRITE_SCHEMA=1 cargo test --test it -- ops::migrations; \
         afterwards a migration never changes"
    );
}

#[tokio::test]
async fn the_schema_of_every_release_is_brought_to_this_one_s() {
    let wanted = described(&migrated(None).await).await;
    let releases = kept();
    assert!(!releases.is_empty());
    for (path, fixture) in releases.values() {
        assert_eq!(described(&migrated(Some(fixture)).await).await, wanted, "{}", path.display());
    }
}

#[tokio::test]
async fn tidings_migrate_may_run_twice_and_at_once() {
    let url = Stack::shared_postgres().await.database().await;
    let run = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tidings"));
        command.arg("migrate").env("TIDINGS__POSTGRES__URL", &url).env("TIDINGS__LOG__FORMAT", "json");
        tokio::task::spawn_blocking(move || command.output())
    };
    let applied = |output: std::process::Output| {
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{log}");
        let done = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let text = done.map(|line| line.to_string()).find(|line| line.contains("migrate.done"));
        text.expect("it says what it did").contains("\"applied\":0")
    };
    let all = futures_util::future::join_all((0..4).map(|_| run())).await;
    let idle =
        all.into_iter().filter(|output| output.is_ok()).map(|output| applied(output.unwrap().unwrap()));
    assert_eq!(idle.filter(|idle| *idle).count(), 3, "one of them did the work");
    assert!(applied(run().await.unwrap().unwrap()), "nothing is left to be done");
}

/// What a release may do to the one that still runs: new columns in every table, new tables, new indexes.
async fn expand(database: &Database) {
    let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations'";
    let tables = database.query(tables, &[]).await.unwrap();
    assert!(tables.len() > 5);
    for row in tables {
        let table: String = row.get(0);
        let expansion = format!(
            "ALTER TABLE {table} ADD COLUMN a_new_text text, ADD COLUMN a_new_count bigint NOT NULL DEFAULT 0;
             CREATE INDEX {table}_by_new ON {table} (a_new_text) WHERE a_new_text IS NOT NULL"
        );
        database.batch_execute(&expansion).await.unwrap();
    }
    let version = "INSERT INTO schema_migrations SELECT max(version) + 1, 'of the next release', 0 FROM schema_migrations";
    database
        .batch_execute(&format!("CREATE TABLE new_table (id uuid PRIMARY KEY); {version}"))
        .await
        .unwrap();
}

#[tokio::test]
async fn this_release_goes_on_while_the_next_one_expands_the_schema_and_starts_on_it() {
    let mut world = World::roles(&[]).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    alice.say_to("bob", "before").await;
    expand(&connect(world.setting("postgres__url")).await).await;
    everyday_life(&world, &mut alice, "while it runs").await;
    drop(alice);
    for process in world.processes() {
        process.replace().await;
    }
    let (mut alice, _) = Client::login(world.here, "alice").await;
    everyday_life(&world, &mut alice, "after a restart").await;
}

/// Something of everything that is written to the database.
async fn everyday_life(world: &World, alice: &mut Client, when: &str) {
    let (mut bob, _) = Client::login(world.there, "bob").await;
    let sent = alice.say_to("bob", when).await;
    let (id, seq) = (sent["conversation_id"].as_str().unwrap(), bob.message(when).await["seq"].clone());
    for (kind, more) in
        [("react", json!({"emoji": "👍"})), ("edit", json!({"text": "edited"})), ("delete", json!({}))]
    {
        let client_id = uuid::Uuid::new_v4();
        let mut frame =
            json!({"type": kind, "client_id": client_id, "conversation_id": id, "target_seq": seq});
        frame.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        alice.send(frame).await;
        let kind = if kind == "react" { "reaction" } else { kind };
        bob.find(|frame| frame["type"] == "message" && frame["kind"] == kind, kind).await;
    }
    bob.send(json!({"type": "read", "conversation_id": id, "seq": seq})).await;
    let group = json!({"kind": "group", "title": when, "member_ids": ["bob", "carol"]});
    let (status, group) = http(world.here, "alice", Method::POST, "/v1/conversations", Some(group)).await;
    assert_eq!(status, 201, "{group}");
    let group = group["id"].as_str().expect("its id");
    alice.say_in(group, "to all of them").await;
    bob.message("to all of them").await;
    let (status, _) = http(world.there, "bob", Method::PUT, "/v1/blocks/carol", None).await;
    assert_eq!(status, 204);
    let account = json!({"user_id": format!("dora-{}", when.len()), "password": "a long enough password"});
    let (status, answer) = http(world.there, "x", Method::POST, "/v1/accounts", Some(account)).await;
    assert_eq!(status, 201, "{answer}");
}
