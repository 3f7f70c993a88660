//! Appending texts: seqs, order, what a batch does as a whole.

use serde_json::value::RawValue;
use tidings::model::{ConversationKind, EntryKind, Refusal, Seq, Timestamp};
use tidings::store::{Appended, StoreError};

use super::Fixture;
use super::fixture::{said, said_to, seqs, texts};

pub async fn seqs_are_given_in_the_order_of_arrival_without_gaps(fixture: &Fixture) {
    let [alice, bob, carol] = fixture.users(["alice", "bob", "carol"]).await;
    let group = fixture.group(&alice, &[&bob]).await;
    let batch = [
        said(group, &alice, "1"),
        said_to(&alice, &carol, "one"),
        said(group, &bob, "2"),
        said_to(&carol, &alice, "two"),
        said(group, &alice, "3"),
    ];
    let given: Vec<i64> = fixture
        .append(&batch)
        .await
        .iter()
        .map(|outcome| match outcome {
            Appended::Stored(stored) => stored.seq.get(),
            Appended::Refused(refusal) => panic!("refused: {refusal:?}"),
        })
        .collect();
    assert_eq!(given, [1, 1, 2, 2, 3]);
    let log = fixture.log(group, &bob).await;
    assert_eq!(seqs(&log), [1, 2, 3]);
    assert_eq!(texts(&log), ["1", "2", "3"]);
    assert_eq!(fixture.seen_by(group, &bob).await.last_seq.get(), 3);
}

pub async fn one_refused_entry_takes_no_seq_and_no_other_along(fixture: &Fixture) {
    let [alice, eve] = fixture.users(["alice", "eve"]).await;
    let group = fixture.group(&alice, &[]).await;
    let batch =
        [said(group, &alice, "first"), said(group, &eve, "not a member"), said(group, &alice, "second")];
    let outcomes = fixture.append(&batch).await;
    assert!(matches!(&outcomes[0], Appended::Stored(stored) if stored.seq == Seq::new(1)));
    assert!(matches!(outcomes[1], Appended::Refused(Refusal::NotFound)));
    assert!(matches!(&outcomes[2], Appended::Stored(stored) if stored.seq == Seq::new(2)));
}

pub async fn an_empty_batch_is_fine(fixture: &Fixture) {
    assert_eq!(fixture.append(&[]).await.len(), 0);
}

pub async fn what_was_sent_comes_back_as_it_was(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let id = fixture.direct(&alice, &bob).await;
    let first = fixture.say(id, &bob, "question").await;
    let mut sent = said(id, &alice, "answer – ✓ 'quoted' \\ \u{1F600}");
    let json = r#"{"b":1,"a":[1.50,"\u0000"]}"#;
    sent.body.data = Some(RawValue::from_string(json.to_owned()).unwrap());
    sent.body.reply_to = Some(first);
    sent.body.mentions = vec![bob.clone()];
    sent.received_ms = 1_767_225_600_007;
    let stored = fixture.stored(sent.clone()).await;

    let entry = fixture.log(id, &bob).await.remove(1);
    assert_eq!(entry.conversation_id, id);
    assert_eq!((entry.seq, entry.id), (stored.seq, stored.id));
    assert_eq!(entry.kind, EntryKind::Text);
    assert_eq!(entry.sender_id, alice);
    assert_eq!(entry.client_id, Some(sent.client_id));
    assert_eq!(entry.body.text, sent.body.text);
    assert_eq!(entry.body.data.unwrap().get(), json);
    assert_eq!(entry.body.reply_to, Some(first));
    assert_eq!(entry.body.mentions, [bob]);
    assert_eq!(entry.created_at, Timestamp::from_millis(1_767_225_600_007));
    assert_eq!((entry.edited_at, entry.deleted_at), (None, None));
}

pub async fn an_entry_with_only_data_has_no_text(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let mut sent = said_to(&alice, &bob, "");
    sent.body.text = None;
    sent.body.data = Some(RawValue::from_string("[1, 2]".to_owned()).unwrap());
    let id = sent.conversation_id;
    fixture.stored(sent).await;
    let entry = fixture.log(id, &bob).await.remove(0);
    assert_eq!(entry.body.text, None);
    assert_eq!(entry.body.data.unwrap().get(), "[1, 2]");
}

pub async fn a_text_that_can_never_be_stored_refuses_the_whole_batch(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let id = fixture.direct(&alice, &bob).await;
    let batch = [said(id, &alice, "fine"), said(id, &alice, "not\0fine")];
    let refused = fixture.store.append(&batch).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })));
    assert_eq!(fixture.log(id, &alice).await.len(), 0);
    // Its good half is stored alone.
    fixture.stored(batch[0].clone()).await;
}

pub async fn only_owner_and_admins_write_in_a_channel(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let channel = fixture.channel(&alice, &[&bob]).await;
    let stored = fixture.stored(said(channel, &alice, "news")).await;
    assert_eq!(stored.kind, ConversationKind::Channel);
    let refusal = fixture.refused(said(channel, &bob, "me too")).await;
    assert_eq!(refusal, Refusal::Forbidden);
}

pub async fn a_deactivated_member_of_a_group_may_not_write(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let group = fixture.group(&alice, &[&bob]).await;
    let now = Timestamp::now();
    assert!(fixture.store.deactivate(&bob, now).await.unwrap());
    let refusal = fixture.refused(said(group, &bob, "still here")).await;
    assert_eq!(refusal, Refusal::Forbidden);
    fixture.say(group, &alice, "others go on").await;
}

pub async fn sending_reads_what_came_before(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let group = fixture.group(&alice, &[&bob]).await;
    let direct = fixture.direct(&alice, &bob).await;
    for id in [group, direct] {
        fixture.say(id, &alice, "1").await;
        fixture.say(id, &alice, "2").await;
        assert_eq!(fixture.seen_by(id, &bob).await.unread, 2);
        let seq = fixture.say(id, &bob, "3").await;
        let seen = fixture.seen_by(id, &bob).await;
        assert_eq!((seen.unread, seen.read_seq), (0, seq));
        let seen = fixture.seen_by(id, &alice).await;
        assert_eq!((seen.unread, seen.read_seq), (1, Seq::new(2)));
        // Having read implies having received.
        let bob = seen.members.iter().find(|member| member.user_id == bob);
        assert_eq!(bob.unwrap().delivered_seq, seq);
    }
}
