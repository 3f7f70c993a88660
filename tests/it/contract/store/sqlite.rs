//! The contract on SQLite, and what only an embedded store has to promise.

use std::sync::Arc;

use tidings::store::{StoreError, sqlite};

use super::Fixture;
use super::fixture::{said_to, texts};

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
