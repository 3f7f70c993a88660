//! The same entry again: a redelivered batch, a sender who did not hear the answer.

use tidings::model::{EntryKind, NewEntry, Refusal, Role};
use tidings::store::{Appended, Relation, Stored};

use super::Fixture;
use super::fixture::{about, aimed, said, said_to, texts};

async fn original(fixture: &Fixture, entry: NewEntry) -> Stored {
    let stored = fixture.stored(entry).await;
    let original = stored.original.as_ref().expect("it was there already");
    assert_eq!((original.seq, original.id), (stored.seq, stored.id));
    stored
}

pub async fn a_repeated_entry_comes_back_with_its_seq_and_is_stored_once(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let entry = said_to(&alice, &bob, "once");
    let id = entry.conversation_id;
    let first = fixture.stored(entry.clone()).await;
    fixture.say(id, &bob, "in between").await;

    let mut again = entry;
    again.body.text = Some("changed meanwhile".to_owned());
    let second = original(fixture, again).await;
    assert_eq!((second.seq, second.id), (first.seq, first.id));
    let original = second.original.unwrap();
    assert_eq!(original.body.text.as_deref(), Some("once"));
    assert_eq!(texts(&fixture.log(id, &bob).await), ["once", "in between"]);
    assert_eq!(fixture.seen_by(id, &bob).await.unread, 0);
}

pub async fn a_repetition_within_a_batch_is_found(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let group = fixture.group(&alice, &[&bob]).await;
    for id in [group, fixture.direct(&alice, &bob).await] {
        let entry = said(id, &alice, "once");
        let batch = [entry.clone(), said(id, &bob, "other"), entry];
        let outcomes = fixture.append(&batch).await;
        let seqs: Vec<_> = outcomes
            .iter()
            .map(|outcome| match outcome {
                Appended::Stored(stored) => (stored.seq.get(), stored.original.is_some()),
                Appended::Refused(refusal) => panic!("refused: {refusal:?}"),
            })
            .collect();
        assert_eq!(seqs, [(1, false), (2, false), (1, true)]);
        assert_eq!(texts(&fixture.log(id, &bob).await), ["once", "other"]);
    }
}

pub async fn a_whole_batch_again_changes_nothing(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let id = fixture.direct(&alice, &bob).await;
    let batch: Vec<_> =
        (0..50).map(|n| said(id, if n % 3 == 0 { &bob } else { &alice }, &n.to_string())).collect();
    let ids = |outcomes: Vec<Appended>, again: bool| -> Vec<_> {
        outcomes
            .into_iter()
            .map(|outcome| match outcome {
                Appended::Stored(stored) => {
                    assert_eq!(stored.original.is_some(), again);
                    (stored.seq, stored.id)
                }
                Appended::Refused(refusal) => panic!("refused: {refusal:?}"),
            })
            .collect()
    };
    let first = ids(fixture.append(&batch).await, false);
    let second = ids(fixture.append(&batch).await, true);
    assert_eq!(first, second);
    assert_eq!(fixture.seen_by(id, &bob).await.last_seq.get(), 50);
}

pub async fn the_same_client_id_elsewhere_or_of_another_is_another_entry(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let one = fixture.group(&alice, &[&bob]).await;
    let other = fixture.group(&alice, &[&bob]).await;
    let entry = said(one, &alice, "text");
    let elsewhere = NewEntry { conversation_id: other, ..entry.clone() };
    let of_another = NewEntry { sender_id: bob.clone(), ..entry.clone() };
    for outcome in fixture.append(&[entry, elsewhere, of_another]).await {
        assert!(matches!(outcome, Appended::Stored(stored) if stored.original.is_none()));
    }
}

pub async fn a_sender_who_may_write_no_more_hears_of_what_was_stored(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let group = fixture.group(&alice, &[&bob]).await;
    let entry = said(group, &bob, "before leaving");
    let first = fixture.stored(entry.clone()).await;
    let left = about(group, &bob, EntryKind::MemberLeft, &[&bob], None);
    fixture.stored(left.clone()).await;
    assert_eq!(original(fixture, entry).await.seq, first.seq);
    // Leaving too is known as done, and who left by it.
    let again = original(fixture, left).await;
    assert_eq!(again.audience.left, std::slice::from_ref(&bob));
    let refusal = fixture.refused(said(group, &bob, "after")).await;
    assert_eq!(refusal, Refusal::NotFound);

    let entry = said_to(&alice, &bob, "before the block");
    fixture.stored(entry.clone()).await;
    let block = Relation::Block;
    assert!(fixture.store.add_relation(block, &bob, &alice).await.unwrap());
    original(fixture, entry).await;
}

pub async fn effects_are_taken_once(fixture: &Fixture) {
    let [alice, bob, carol] = fixture.users(["alice", "bob", "carol"]).await;
    let group = fixture.group(&alice, &[&bob]).await;
    let seq = fixture.say(group, &alice, "text").await;
    let reaction = aimed(group, &bob, EntryKind::Reaction, seq);
    let joined = about(group, &alice, EntryKind::MemberJoined, &[&carol], None);
    let demoted = about(group, &alice, EntryKind::RoleChanged, &[&bob], Some(Role::Admin));
    let delete = aimed(group, &alice, EntryKind::Delete, seq);
    for entry in [reaction, joined, demoted, delete] {
        let first = fixture.stored(entry.clone()).await;
        let again = original(fixture, entry).await;
        assert_eq!((again.seq, again.audience), (first.seq, first.audience));
    }
    let seen = fixture.seen_by(group, &alice).await;
    assert_eq!((seen.member_count, seen.last_seq.get()), (3, 5));
}

pub async fn an_entry_is_found_by_what_its_sender_called_it(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let entry = said_to(&alice, &bob, "text");
    let (id, client_id) = (entry.conversation_id, entry.client_id);
    let store = &fixture.store;
    assert!(store.find(id, &alice, client_id).await.unwrap().is_none());
    let stored = fixture.stored(entry).await;
    let found = store.find(id, &alice, client_id).await.unwrap().unwrap();
    assert_eq!((found.seq, found.id), (stored.seq, stored.id));
    assert_eq!(found.body.text.as_deref(), Some("text"));
    assert!(store.find(id, &bob, client_id).await.unwrap().is_none());
}
