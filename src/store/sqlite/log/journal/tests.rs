//! The journal keeps what the contract promises, whatever is in it.

use std::collections::HashMap;
use std::path::Path;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::model::{
    Body, ClientId, ConversationId, EntryKind, MessageId, NewEntry, Refusal, Seq, Timestamp, UserId,
};
use crate::store::sqlite::{self, DatabaseError, SqliteStore};
use crate::store::{
    Appended, Conversations, Cursors, Log, PageOf, Range, Relation, Relations, StoreError, Stored,
};

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn open(folder: &Path) -> SqliteStore {
    sqlite::open(folder, 1).unwrap()
}

async fn meet(store: &SqliteStore, one: &str, other: &str) -> ConversationId {
    let (one, other) = (user(one), user(other));
    store.create_direct(&one, &other, true, Timestamp::from_millis(1)).await.unwrap();
    ConversationId::direct(&one, &other)
}

fn text(from: &str, to: &str, text: &str) -> NewEntry {
    let (sender_id, peer) = (user(from), user(to));
    let body = Body { text: Some(text.to_owned()), ..Body::default() };
    let mut entry = NewEntry::managing(
        ConversationId::direct(&sender_id, &peer),
        &sender_id,
        Some(ClientId::new()),
        EntryKind::Text,
        body,
    );
    entry.peer = Some(peer);
    entry
}

/// A batch that is large enough for the journal.
fn texts(from: &str, to: &str) -> Vec<NewEntry> {
    (0..super::LARGE).map(|number| text(from, to, &format!("{number}"))).collect()
}

fn stored(outcomes: &[Appended]) -> Vec<&Stored> {
    outcomes
        .iter()
        .map(|outcome| match outcome {
            Appended::Stored(stored) => stored,
            Appended::Refused(refusal) => panic!("refused: {refusal:?}"),
        })
        .collect()
}

fn seqs(outcomes: &[Appended]) -> Vec<i64> {
    stored(outcomes).into_iter().map(|stored| stored.seq.get()).collect()
}

/// The rows of the table as the disk has them.
async fn rows(store: &SqliteStore) -> i64 {
    let count = |connection: &rusqlite::Connection| {
        Ok::<_, DatabaseError>(connection.query_row("SELECT count(*) FROM journal", [], |row| row.get(0))?)
    };
    store.database.read(count).await.unwrap()
}

async fn log(store: &SqliteStore, id: ConversationId, reader: &str) -> Vec<(i64, MessageId, String)> {
    let page = store.history(id, &user(reader), Range::After(Seq::ZERO), 1000).await.unwrap().unwrap();
    page.entries
        .into_iter()
        .map(|entry| (entry.seq.get(), entry.id, entry.body.text.unwrap_or_default()))
        .collect()
}

#[tokio::test]
async fn a_large_batch_waits_in_the_journal_and_is_read_as_it_was_answered() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let id = meet(&store, "ann", "bob").await;
    let outcomes = store.append(&texts("ann", "bob")).await.unwrap();
    assert_eq!(seqs(&outcomes), (1..=8).collect::<Vec<_>>());
    assert_eq!(rows(&store).await, 1);
    let read = log(&store, id, "bob").await;
    let answered: Vec<_> = stored(&outcomes).iter().map(|stored| (stored.seq.get(), stored.id)).collect();
    assert_eq!(read.iter().map(|(seq, id, _)| (*seq, *id)).collect::<Vec<_>>(), answered);
    assert_eq!(read[3].2, "3");
    assert_eq!(rows(&store).await, 0);
}

#[tokio::test]
async fn heads_and_unread_counts_include_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let id = meet(&store, "ann", "bob").await;
    store.append(&texts("ann", "bob")).await.unwrap();
    let page = PageOf { user_id: user("bob"), after: None, limit: 10 };
    let seen = store.conversations_of(&[page]).await.unwrap();
    assert_eq!((seen[0][0].id, seen[0][0].last_seq, seen[0][0].unread), (id, Seq::new(8), 8));
    assert_eq!(store.badges(&[user("ann"), user("bob")]).await.unwrap(), [0, 8]);
}

#[tokio::test]
async fn reading_one_conversation_leaves_the_others_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (one, other) = (meet(&store, "ann", "bob").await, meet(&store, "eve", "dan").await);
    store.append(&[texts("ann", "bob"), texts("eve", "dan")].concat()).await.unwrap();
    assert_eq!(log(&store, one, "ann").await.len(), 8);
    assert_eq!(rows(&store).await, 1, "the row has entries of the other conversation");
    assert_eq!(log(&store, other, "dan").await.len(), 8);
    assert_eq!(rows(&store).await, 0);
}

#[tokio::test]
async fn a_restart_finds_what_waited_and_what_of_it_was_moved_before() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (one, other) = (meet(&store, "ann", "bob").await, meet(&store, "eve", "dan").await);
    let first = store.append(&[texts("ann", "bob"), texts("eve", "dan")].concat()).await.unwrap();
    assert_eq!(log(&store, one, "ann").await.len(), 8);
    drop(store);
    let store = open(folder.path());
    assert_eq!(rows(&store).await, 1);
    let next = store.append(&texts("dan", "eve")).await.unwrap();
    assert_eq!(seqs(&next), (9..=16).collect::<Vec<_>>());
    assert_eq!(log(&store, one, "ann").await.len(), 8);
    let read: Vec<_> = log(&store, other, "eve").await.into_iter().map(|(seq, id, _)| (seq, id)).collect();
    let answered = stored(&first).into_iter().skip(8).chain(stored(&next));
    assert_eq!(read, answered.map(|stored| (stored.seq.get(), stored.id)).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_batch_that_comes_again_gets_the_answers_of_the_first_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let id = meet(&store, "ann", "bob").await;
    let mut batch = texts("ann", "bob");
    batch.push(batch[0].clone());
    let first = store.append(&batch).await.unwrap();
    assert_eq!(seqs(&first), [1, 2, 3, 4, 5, 6, 7, 8, 1]);
    let in_the_journal = store.append(&batch).await.unwrap();
    assert_eq!(log(&store, id, "ann").await.len(), 8);
    let moved = store.append(&batch).await.unwrap();
    for again in [in_the_journal, moved] {
        for (again, first) in stored(&again).iter().zip(stored(&first)) {
            assert_eq!((again.seq, again.id), (first.seq, first.id));
            assert!(again.original.is_some());
        }
    }
    assert_eq!(log(&store, id, "ann").await.len(), 8);
}

/// Only an id that is not the newest of its sender is looked up, wherever the earlier ones are: in the journal, in the log, or in
/// both, in this process or the one before.
#[tokio::test]
async fn a_repeated_id_gets_its_first_seq_in_whatever_order_ids_come() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let id = meet(&store, "ann", "bob").await;
    let mut random = StdRng::seed_from_u64(11);
    let mut first: HashMap<(bool, u128), i64> = HashMap::new();
    let (mut came, mut repeated) = (Vec::new(), 0);
    for round in 0..120_u128 {
        let size = random.random_range(if round % 5 == 0 { 1..3 } else { 8..12 });
        let batch: Vec<(bool, u128)> = (0..size)
            .map(|_| {
                let rising = round * 100 + random.random_range(0..100);
                // Some come late, some are not in the order of time at all, and some came before.
                let id = match random.random_range(0..8) {
                    0 => random.random_range(0..=rising),
                    1 => 100_000 - rising,
                    2 if !came.is_empty() => return came[random.random_range(0..came.len())],
                    _ => rising,
                };
                (random.random_bool(0.5), id)
            })
            .collect();
        let entries: Vec<NewEntry> = batch
            .iter()
            .map(|(by_ann, id)| {
                let (from, to) = if *by_ann { ("ann", "bob") } else { ("bob", "ann") };
                let client_id = ClientId::from_uuid(uuid::Uuid::from_u128(*id));
                NewEntry { client_id, ..text(from, to, "a") }
            })
            .collect();
        for (key, seq) in batch.iter().zip(seqs(&store.append(&entries).await.unwrap())) {
            let next = first.len() as i64 + 1;
            let known = *first.entry(*key).or_insert(next);
            assert_eq!(seq, known, "round {round}, {key:?}");
            came.push(*key);
            repeated += usize::from(known != next);
        }
        match random.random_range(0..10) {
            0 => drop(log(&store, id, "ann").await),
            1 => {
                drop(store);
                store = open(folder.path());
            }
            _ => {}
        }
    }
    assert_eq!(log(&store, id, "bob").await.len(), first.len());
    assert!(repeated > 50, "{repeated} of {} ids came again", first.len());
}

#[tokio::test]
async fn a_block_holds_for_the_next_large_batch() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let id = meet(&store, "ann", "bob").await;
    store.append(&texts("ann", "bob")).await.unwrap();
    store.add_relation(Relation::Block, &user("bob"), &user("ann")).await.unwrap();
    let outcomes = store.append(&texts("ann", "bob")).await.unwrap();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Appended::Refused(Refusal::Forbidden))));
    store.remove_relation(Relation::Block, &user("bob"), &user("ann")).await.unwrap();
    assert_eq!(seqs(&store.append(&texts("ann", "bob")).await.unwrap()), (9..=16).collect::<Vec<_>>());
    assert_eq!(log(&store, id, "bob").await.len(), 16);
}

#[tokio::test]
async fn small_and_large_batches_share_one_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let id = meet(&store, "ann", "bob").await;
    let mut answered = Vec::new();
    for _ in 0..3 {
        answered.extend(seqs(&store.append(&texts("ann", "bob")).await.unwrap()));
        answered.extend(seqs(&store.append(&[text("bob", "ann", "small")]).await.unwrap()));
    }
    assert_eq!(answered, (1..=27).collect::<Vec<_>>());
    assert_eq!(log(&store, id, "ann").await.len(), 27);
}

#[tokio::test]
async fn a_transaction_that_was_undone_leaves_the_journal_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let id = meet(&store, "ann", "bob").await;
    store.append(&texts("ann", "bob")).await.unwrap();
    // Moves everything first, and then fails.
    let failed: Result<(), StoreError> =
        store.write(|_| Err(StoreError::Refused { message: "on purpose".to_owned(), source: None })).await;
    assert!(failed.is_err());
    assert_eq!(rows(&store).await, 1);
    assert_eq!(seqs(&store.append(&texts("bob", "ann")).await.unwrap()), (9..=16).collect::<Vec<_>>());
    assert_eq!(log(&store, id, "ann").await.len(), 16);
}

#[tokio::test]
async fn a_deleted_text_is_nowhere_in_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (id, _) = (meet(&store, "ann", "bob").await, meet(&store, "eve", "dan").await);
    store.append(&[texts("ann", "bob"), texts("eve", "dan")].concat()).await.unwrap();
    let mut delete = text("ann", "bob", "");
    delete.kind = EntryKind::Delete;
    delete.body = Body { target_seq: Some(Seq::new(4)), ..Body::default() };
    assert_eq!(seqs(&store.append(&[delete]).await.unwrap()), [9]);
    assert_eq!(rows(&store).await, 0);
    assert_eq!(log(&store, id, "ann").await[3].2, "");
}

#[tokio::test]
async fn what_waited_long_enough_is_moved_by_the_batches_that_follow() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    meet(&store, "ann", "bob").await;
    meet(&store, "eve", "dan").await;
    store.append(&texts("ann", "bob")).await.unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        store.append(&texts("eve", "dan")).await.unwrap();
        let moved = store.database.read(|connection| {
            let count = "SELECT count(*) FROM messages WHERE sender_id = 'ann'";
            Ok::<_, DatabaseError>(connection.query_row(count, [], |row| row.get::<_, i64>(0))?)
        });
        if moved.await.unwrap() == 8 {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "what came first is not at its places");
    }
}

/// A batch with one text to each of as many people.
fn to_each(names: &[String], long: usize) -> Vec<NewEntry> {
    names.iter().map(|name| text("ann", name, &"x".repeat(long))).collect()
}

async fn meet_all(store: &SqliteStore, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|number| format!("peer {number}")).collect();
    for name in &names {
        meet(store, "ann", name).await;
    }
    names
}

#[tokio::test]
async fn a_batch_to_more_conversations_than_are_kept_in_mind_is_stored_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let names = meet_all(&store, super::state::HEADS + 20).await;
    for seq in 1..=3 {
        let outcomes = store.append(&to_each(&names, 10)).await.unwrap();
        assert_eq!(seqs(&outcomes), vec![seq; names.len()]);
    }
}

#[tokio::test]
async fn the_journal_is_bounded_in_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let names = meet_all(&store, 20).await;
    for _ in 0..30 {
        store.append(&to_each(&names, 1000)).await.unwrap();
        let bytes = store.journal.state().bytes();
        assert!(bytes > 0 && bytes <= super::state::BYTES, "{bytes}");
    }
    let id = ConversationId::direct(&user("ann"), &user("peer 7"));
    assert_eq!(log(&store, id, "peer 7").await.len(), 30);
    assert_eq!(store.journal.state().bytes() % 1000, 0);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_makes_the_store_unavailable_and_refuses_nobody_s_batch() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    meet(&store, "ann", "bob").await;
    let spoil = |connection: &rusqlite::Connection| {
        connection.execute_batch(
            "INSERT INTO journal (id, entries) VALUES (1, x'5b7b'); UPDATE journal_version SET version = version + 1",
        )?;
        Ok::<_, DatabaseError>(())
    };
    store.database.write(spoil).await.unwrap();
    let error = store.append(&texts("ann", "bob")).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
}

#[tokio::test]
async fn what_was_read_in_a_transaction_that_did_not_commit_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let id = meet(&store, "ann", "bob").await;
    let journal = std::sync::Arc::clone(&store.journal);
    let number = move |connection: &rusqlite::Connection| {
        connection
            .execute("UPDATE conversations SET last_seq = 40 WHERE id = ?1", [&id.as_uuid().into_bytes()[..]])
    };
    // It sees the conversation at 40, which is undone with it.
    let undone = store
        .database
        .write(move |connection| {
            number(connection)?;
            journal.change(connection, |state| state.takes(connection, &texts("ann", "bob")))?;
            Err::<(), _>(StoreError::unavailable("undone"))
        })
        .await;
    undone.unwrap_err();
    assert_eq!(seqs(&store.append(&texts("ann", "bob")).await.unwrap())[0], 1);
}

#[tokio::test]
async fn a_reader_does_not_wait_for_the_writer_to_say_that_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let state = store.journal.state();
    let (said, heard) = std::sync::mpsc::channel();
    let journal = std::sync::Arc::clone(&store.journal);
    std::thread::spawn(move || {
        journal.committed(&super::Moved { emptied_at: Some(0) });
        journal.committed(&super::Moved { emptied_at: None });
        said.send(()).unwrap();
    });
    heard.recv_timeout(std::time::Duration::from_secs(10)).expect("it went on while the state was locked");
    drop(state);
}
