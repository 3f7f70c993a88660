//! The contract on SQLite, and what only an embedded store has to promise.

use std::sync::Arc;

use tidings::model::{DeviceId, EntryKind, Platform, Timestamp, UserId};
use tidings::store::{Registration, StoreError, sqlite};

use super::Fixture;
use super::fixture::{said_to, texts};
use crate::support::until;

async fn open() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite::open(folder.path(), 2).unwrap();
    Fixture::new(Arc::new(store), folder)
}

super::contract!(super::open);

#[tokio::test]
async fn what_was_stored_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("made").join("when missing");
    let store = sqlite::open(&data_dir, 2).unwrap();
    let first = Fixture::new(Arc::new(store), ());
    let (alice, bob) = (first.name("alice"), first.name("bob"));
    let entry = said_to(&alice, &bob, "kept");
    let id = entry.conversation_id;
    first.stored(entry.clone()).await;
    drop(first);

    let store = sqlite::open(&data_dir, 2).unwrap();
    let again = Fixture::new(Arc::new(store), ());
    assert_eq!(texts(&again.log(id, &bob).await), ["kept"]);
    assert!(again.stored(entry).await.original.is_some());
    assert_eq!(again.say(id, &bob, "goes on").await.get(), 2);
}

#[tokio::test]
async fn a_second_process_is_told_that_the_folder_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let _store = sqlite::open(folder.path(), 1).unwrap();
    let Err(refused) = sqlite::open(folder.path(), 1) else {
        panic!("two own one folder");
    };
    assert!(matches!(refused, StoreError::Unavailable { .. }));
    assert!(refused.to_string().contains("another running process"));
}

async fn a_device(fixture: &Fixture, user: &UserId) {
    let registration = Registration {
        user_id: user.clone(),
        device_id: DeviceId::parse("phone").unwrap(),
        platform: Platform::Fcm,
        token: "token".to_owned(),
        app_id: String::new(),
        environment: None,
        session_id: None,
        at: Timestamp::now(),
    };
    assert!(fixture.store.register_device(&registration).await.unwrap().is_some());
}

#[tokio::test]
async fn what_the_push_stage_was_not_told_of_is_found_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Fixture::new(Arc::new(sqlite::open(folder.path(), 1).unwrap().with_outbox()), ());
    let first = open();
    let [alice, bob] = first.users(["alice", "bob"]).await;
    let entry = said_to(&alice, &bob, "nobody has a device");
    let id = entry.conversation_id;
    first.stored(entry).await;
    assert!(first.store.untold().await.unwrap().texts.is_empty());

    a_device(&first, &bob).await;
    let told = first.say(id, &alice, "told").await;
    first.store.told(&[(id, told)]).await;
    let entry = said_to(&alice, &bob, "not told");
    let untold = first.stored(entry.clone()).await;
    until("one of them is told", async || first.store.untold().await.unwrap().texts.len() == 1).await;
    drop(first);

    let again = open();
    let found = again.store.untold().await.unwrap().texts;
    let [(entry_found, found)] = &found[..] else { panic!("{found:?}") };
    assert_eq!((found.seq, found.id, found.kind), (untold.seq, untold.id, untold.kind));
    assert_eq!((&entry_found.sender_id, &entry_found.peer), (&alice, &Some(bob)));
    assert_eq!((entry_found.kind, &entry_found.body.text), (EntryKind::Text, &None));
    again.store.told(&[(id, found.seq)]).await;
    until("the other one is told too", async || again.store.untold().await.unwrap().texts.is_empty()).await;
}
