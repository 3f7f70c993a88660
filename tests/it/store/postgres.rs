//! Postgres: migrations, and what becomes of calls when the server or the way to it fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tidings::model::{Body, ClientId, ConversationId, EntryKind, NewEntry, Seq, Timestamp, UserId};
use tidings::store::postgres::{PoolObserver, PostgresStore, SchemaError, Settings, connect, migrate};
use tidings::store::{
    Appended, Conversations, Cursors, Log, Range, Relation, Relations, Store, StoreError, Users,
};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::support::postgres::{Schema, admin, url};
use crate::support::proxy::Proxy;

const DEADLINE: Duration = Duration::from_secs(60);

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn said(text: &str) -> NewEntry {
    let (alice, bob) = (user("alice"), user("bob"));
    NewEntry {
        conversation_id: ConversationId::direct(&alice, &bob),
        sender_id: alice,
        client_id: ClientId::new(),
        kind: EntryKind::Text,
        body: Body { text: Some(text.into()), ..Body::default() },
        peer: Some(bob),
        create: true,
        provision: true,
        received_ms: Timestamp::now().as_millis(),
        origin: None,
        push: None,
    }
}

fn seq_of(outcomes: &[Appended]) -> Seq {
    match outcomes {
        [Appended::Stored(stored)] => stored.seq,
        other => panic!("one stored entry, not {other:?}"),
    }
}

/// Tries until the store answers again.
async fn append_at_last(store: &PostgresStore, entry: &NewEntry) -> Seq {
    let started = Instant::now();
    loop {
        match store.append(std::slice::from_ref(entry)).await {
            Ok(outcomes) => return seq_of(&outcomes),
            Err(error) => {
                assert!(error.is_retryable(), "{error}");
                assert!(started.elapsed() < DEADLINE, "{error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

#[tokio::test]
async fn migrating_twice_does_nothing_the_second_time() {
    let schema = Schema::empty().await;
    let first = migrate(&schema.settings).await.unwrap();
    assert_eq!(first.applied, ["initial"]);
    let second = migrate(&schema.settings).await.unwrap();
    assert!(second.applied.is_empty());
    assert_eq!(second.version, first.version);
}

#[tokio::test]
async fn of_several_migrations_at_once_one_does_the_work() {
    let schema = Schema::empty().await;
    let settings = &schema.settings;
    let all = futures_util::future::join_all((0..5).map(|_| migrate(settings))).await;
    let applied: usize = all.iter().map(|one| one.as_ref().unwrap().applied.len()).sum();
    assert_eq!(applied, 1);
}

#[tokio::test]
async fn without_migrations_the_schema_is_said_to_be_behind() {
    let schema = Schema::empty().await;
    let store = connect(&schema.settings).unwrap();
    let error = store.check_schema().await.unwrap_err();
    assert!(matches!(error, SchemaError::Behind { found: 0 }));
    assert!(error.to_string().contains("tidings migrate"), "{error}");
    // Nothing is thrown away over it: a message waits until the schema is there.
    let error = store.append(&[said("too early")]).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");

    migrate(&schema.settings).await.unwrap();
    assert_eq!(store.check_schema().await.unwrap(), 1);
}

#[tokio::test]
async fn a_newer_schema_is_fine() {
    let (schema, store) = Schema::migrated().await;
    schema
        .client()
        .await
        .batch_execute("INSERT INTO schema_migrations VALUES (1000000, 'of a later release', 0)")
        .await
        .unwrap();
    assert_eq!(store.check_schema().await.unwrap(), 1_000_000);
    assert_eq!(migrate(&schema.settings).await.unwrap().applied.len(), 0);
    assert_eq!(seq_of(&store.append(&[said("hello")]).await.unwrap()), Seq::new(1));
}

#[tokio::test]
async fn a_store_is_made_while_the_database_is_away_and_says_so_when_asked() {
    // Bound and not listening any more: nobody answers there.
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    let settings = Settings {
        url: format!("postgres://nobody@{address}/nothing"),
        ..Schema::empty().await.settings.clone()
    };
    let store = connect(&settings).unwrap();
    let error = store.ping().await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    let error = migrate(&settings).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused_at_once() {
    let settings = Schema::empty().await.settings.clone();
    for url in ["", "postgres://a:secret@b:port/c", "postgres://b/c?surprise=1"] {
        let settings = Settings { url: url.into(), ..settings.clone() };
        match connect(&settings) {
            Err(error @ StoreError::Refused { .. }) => {
                assert!(!error.to_string().contains("secret"), "{error}");
            }
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("{url} was taken"),
        }
    }
}

#[tokio::test]
async fn a_stalled_connection_is_given_up_and_replaced() {
    let (schema, _) = Schema::migrated().await;
    let config: Config = url().parse().unwrap();
    let Some(Host::Tcp(host)) = config.get_hosts().first() else {
        panic!("the database is not reached by TCP");
    };
    let upstream = format!("{host}:{}", config.get_ports().first().unwrap_or(&5432));
    let proxy = Proxy::to(upstream.clone()).await;
    let address = proxy.address.to_string();
    let settings = Settings {
        url: schema.settings.url.replace(&upstream, &address),
        acquire_timeout: Duration::from_millis(500),
        connect_timeout: Duration::from_millis(500),
        statement_timeout: Duration::from_millis(500),
        ..schema.settings.clone()
    };
    assert!(settings.url.contains(&address));
    let store = connect(&settings).unwrap();
    let entry = said("before");
    assert_eq!(seq_of(&store.append(std::slice::from_ref(&entry)).await.unwrap()), Seq::new(1));

    proxy.stall();
    let begun = Instant::now();
    let lost = said("into the void");
    let error = store.append(std::slice::from_ref(&lost)).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    let error = store.ping().await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10));

    proxy.resume();
    // What was on its way may have arrived after all; then it is there once.
    assert_eq!(append_at_last(&store, &lost).await, Seq::new(2));
    assert_eq!(append_at_last(&store, &entry).await, Seq::new(1));
}

#[tokio::test]
async fn killed_connections_are_replaced() {
    let (schema, store) = Schema::migrated().await;
    store.append(&[said("one")]).await.unwrap();
    store.ping().await.unwrap();
    let killed = admin()
        .await
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE application_name = $1 AND pid <> pg_backend_pid()",
            &[&schema.name()],
        )
        .await
        .unwrap();
    assert_eq!(killed, 2);
    assert_eq!(append_at_last(&store, &said("two")).await, Seq::new(2));
}

#[tokio::test]
async fn a_call_that_is_dropped_halfway_leaves_nothing_open() {
    let (schema, store) = Schema::migrated().await;
    store.append(&[said("one")]).await.unwrap();
    let reaction = |emoji: &str| NewEntry {
        kind: EntryKind::Reaction,
        body: Body { target_seq: Some(Seq::new(1)), emoji: Some(emoji.into()), ..Body::default() },
        ..said("")
    };
    // Another transaction holds the conversation, so these wait for it inside theirs.
    let mut client = schema.client().await;
    let lock = client.transaction().await.unwrap();
    lock.execute("SELECT 1 FROM conversations FOR UPDATE", &[]).await.unwrap();
    for number in 0..5 {
        let batch = [reaction(&format!("{number}")), said("with it")];
        let waiting = tokio::time::timeout(Duration::from_millis(100), store.append(&batch)).await;
        assert!(waiting.is_err());
    }
    lock.rollback().await.unwrap();
    let outcomes = store.append(&[reaction("last")]).await.unwrap();
    let seq = seq_of(&outcomes).get();
    let log = store
        .history(said("").conversation_id, &user("alice"), Range::After(Seq::ZERO), 100)
        .await
        .unwrap()
        .unwrap();
    let seqs: Vec<i64> = log.entries.iter().map(|entry| entry.seq.get()).collect();
    assert_eq!(seqs, (1..=seq).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_server_that_turned_read_only_may_be_the_wrong_one_and_is_asked_anew() {
    let (schema, store) = Schema::migrated().await;
    let role = format!("reader_{}", schema.name());
    admin()
        .await
        .batch_execute(&format!(
            "CREATE ROLE {role} LOGIN SUPERUSER; ALTER ROLE {role} SET default_transaction_read_only = on"
        ))
        .await
        .unwrap();
    let config: Config = url().parse().unwrap();
    let me = config.get_user().unwrap();
    let settings = Settings {
        url: schema.settings.url.replace(&format!("//{me}"), &format!("//{role}")),
        ..schema.settings.clone()
    };
    let read_only = connect(&settings).unwrap();
    let error = read_only.append(&[said("no")]).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    let [_, appending] = read_only.pool_states();
    assert_eq!(appending.size, 0);
    drop(read_only);
    store.ping().await.unwrap();
    admin().await.batch_execute(&format!("DROP ROLE {role}")).await.unwrap();
}

#[derive(Default)]
struct Counter(AtomicUsize);

impl PoolObserver for Counter {
    fn acquired(&self, waited: Duration) {
        assert!(waited < DEADLINE);
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn pools_tell_how_full_they_are_and_how_long_calls_waited() {
    let (_schema, store) = Schema::migrated().await;
    let counter = Arc::new(Counter::default());
    let store = store.with_observer(Arc::clone(&counter) as Arc<dyn PoolObserver>);
    let [general, appending] = store.pool_states();
    assert_eq!((general.limit, general.size), (4, 0));
    assert_eq!((appending.limit, appending.size), (3, 0));
    store.ping().await.unwrap();
    store.append(&[said("hello")]).await.unwrap();
    assert_eq!(counter.0.load(Ordering::Relaxed), 2);
    let [general, appending] = store.pool_states();
    assert_eq!((general.size, general.idle, general.waiting), (1, 1, 0));
    assert_eq!((appending.size, appending.idle), (1, 1));
}

#[tokio::test]
async fn a_blocked_stranger_does_not_even_open_a_conversation() {
    let (_schema, store) = Schema::migrated().await;
    let (alice, bob) = (user("alice"), user("bob"));
    for user in [&alice, &bob] {
        store.provision(user, &Default::default()).await.unwrap();
    }
    store.add_relation(Relation::Block, &bob, &alice).await.unwrap();
    let outcomes = store.append(&[said("hello?")]).await.unwrap();
    assert!(matches!(outcomes[..], [Appended::Refused(_)]));
    let views = store.views(&[said("").conversation_id]).await.unwrap();
    assert_eq!(views, [None]);
}

#[tokio::test]
async fn retention_takes_no_more_than_it_may() {
    let (_schema, store) = Schema::migrated().await;
    for _ in 0..10 {
        store.append(&[said("old")]).await.unwrap();
    }
    let later = Timestamp::now().plus(Duration::from_secs(60));
    assert_eq!(store.expire(later, 4).await.unwrap(), 4);
    assert_eq!(store.expire(later, 4).await.unwrap(), 4);
    assert_eq!(store.expire(later, 4).await.unwrap(), 2);
    assert_eq!(store.expire(later, 4).await.unwrap(), 0);
    assert_eq!(seq_of(&store.append(&[said("new")]).await.unwrap()), Seq::new(11));
    let bob = store.badges(&[user("bob")]).await.unwrap();
    assert_eq!(bob, [1]);
}
