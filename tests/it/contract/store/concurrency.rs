//! Writers that meet: another worker, a worker that was paused and wakes up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidings::model::{ClientId, ConversationId, MessageId, NewEntry, Seq, UserId};
use tidings::store::{Appended, Created, NewGroup};
use tokio::task::JoinSet;

use super::Fixture;
use super::fixture::{new_group, said, said_to, seqs};

/// Appends each of the `writers`' batches in turn, all writers at once.
async fn append_at_once(
    fixture: &Fixture,
    writers: Vec<Vec<Vec<NewEntry>>>,
) -> Vec<(NewEntry, Seq, MessageId)> {
    let mut tasks = JoinSet::new();
    for batches in writers {
        let store = Arc::clone(&fixture.store);
        tasks.spawn(async move {
            let mut done = Vec::new();
            for batch in batches {
                let outcomes = store.append(&batch).await.unwrap();
                for (entry, outcome) in batch.into_iter().zip(outcomes) {
                    match outcome {
                        Appended::Stored(stored) => done.push((entry, stored.seq, stored.id)),
                        Appended::Refused(refusal) => panic!("refused: {refusal:?}"),
                    }
                }
            }
            done
        });
    }
    let all = async {
        let mut all = Vec::new();
        while let Some(done) = tasks.join_next().await {
            all.extend(done.unwrap());
        }
        all
    };
    let deadline = std::time::Duration::from_secs(60);
    tokio::time::timeout(deadline, all).await.expect("writers wait for each other")
}

async fn logs_are_whole(
    fixture: &Fixture,
    reader: &UserId,
    ids: &[ConversationId],
    done: &[(NewEntry, Seq, MessageId)],
) {
    let mut answered: BTreeMap<(ConversationId, Seq), BTreeSet<(MessageId, ClientId)>> = BTreeMap::new();
    for (entry, seq, id) in done {
        let place = answered.entry((entry.conversation_id, *seq)).or_default();
        place.insert((*id, entry.client_id));
    }
    for id in ids {
        let log = fixture.log(*id, reader).await;
        let expected: Vec<i64> = (1..=i64::try_from(log.len()).unwrap()).collect();
        assert_eq!(seqs(&log), expected, "a gap");
        let names: BTreeSet<_> = log.iter().map(|entry| (&entry.sender_id, entry.client_id)).collect();
        assert_eq!(names.len(), log.len(), "a duplicate");
        for entry in &log {
            let answers = answered.remove(&(*id, entry.seq)).expect("nobody sent it");
            let one = BTreeSet::from([(entry.id, entry.client_id.unwrap())]);
            assert_eq!(answers, one, "two answers for one seq");
        }
    }
    assert!(answered.is_empty(), "answered but not there: {answered:?}");
}

pub async fn two_writers_to_the_same_conversations_leave_no_gap_and_no_deadlock(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let mut ids = vec![fixture.direct(&alice, &bob).await];
    for _ in 0..5 {
        ids.push(fixture.group(&alice, &[&bob]).await);
    }
    let writer = |sender: &UserId, backwards: bool| -> Vec<Vec<NewEntry>> {
        let batch = |n: usize| {
            let mut batch: Vec<_> = ids.iter().map(|id| said(*id, sender, "text")).collect();
            batch.rotate_left(n % ids.len());
            if backwards {
                batch.reverse();
            }
            batch
        };
        (0..30).map(batch).collect()
    };
    let writers = vec![writer(&alice, false), writer(&bob, true), writer(&alice, true)];
    let done = append_at_once(fixture, writers).await;
    assert_eq!(done.len(), 3 * 30 * ids.len());
    logs_are_whole(fixture, &bob, &ids, &done).await;
    for id in ids {
        assert_eq!(fixture.seen_by(id, &bob).await.last_seq.get(), 90);
    }
}

pub async fn the_same_batches_from_two_writers_are_stored_once(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let direct = ConversationId::direct(&alice, &bob);
    let group = fixture.group(&alice, &[&bob]).await;
    let batch = |n: i32| {
        let text = n.to_string();
        vec![said_to(&alice, &bob, &text), said(group, &bob, &text), said_to(&bob, &alice, &text)]
    };
    let batches: Vec<_> = (0..30).map(batch).collect();
    let writers = vec![batches.clone(), batches.clone(), batches];
    let done = append_at_once(fixture, writers).await;
    logs_are_whole(fixture, &bob, &[direct, group], &done).await;
    let last = |seen: tidings::model::Conversation| seen.last_seq.get();
    assert_eq!(last(fixture.seen_by(direct, &bob).await), 60);
    assert_eq!(last(fixture.seen_by(group, &bob).await), 30);
}

pub async fn two_people_who_write_to_each_other_at_once_share_one_conversation(fixture: &Fixture) {
    for round in 0..20 {
        let alice = fixture.name(&format!("alice{round}"));
        let bob = fixture.name(&format!("bob{round}"));
        let id = ConversationId::direct(&alice, &bob);
        let writers =
            vec![vec![vec![said_to(&alice, &bob, "hello")]], vec![vec![said_to(&bob, &alice, "hello")]]];
        let done = append_at_once(fixture, writers).await;
        logs_are_whole(fixture, &alice, &[id], &done).await;
        assert_eq!(fixture.roles(id).await.len(), 2);
    }
}

pub async fn a_group_requested_twice_at_once_is_made_once(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let request = NewGroup { client_id: Some(ClientId::new()), ..new_group(&alice, &[&bob]) };
    let again = NewGroup { id: ConversationId::new(), ..request.clone() };
    let (one, other) = tokio::join!(fixture.store.create_group(&request), fixture.store.create_group(&again));
    let (one, other) = (one.unwrap(), other.unwrap());
    let made = match (one, other) {
        (Created::New(id), Created::Existed(found)) | (Created::Existed(found), Created::New(id)) => {
            assert_eq!(id, found);
            id
        }
        both => panic!("not one made and one found: {both:?}"),
    };
    let groups = fixture.store.groups_of(&[bob]).await.unwrap().remove(0);
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].conversation_id, made);
}
