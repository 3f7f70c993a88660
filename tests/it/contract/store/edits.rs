//! Edits and deletes, and what they do to their target.

use serde_json::value::RawValue;
use tidings::model::{ConversationId, EntryKind, NewEntry, Refusal, Role, Seq, UserId};

use super::Fixture;
use super::fixture::{about, aimed, said};

fn edit(id: ConversationId, sender: &UserId, target: Seq) -> NewEntry {
    aimed(id, sender, EntryKind::Edit, target)
}

fn delete(id: ConversationId, sender: &UserId, target: Seq) -> NewEntry {
    aimed(id, sender, EntryKind::Delete, target)
}

pub async fn an_edit_changes_its_target_and_is_an_entry_itself(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let id = fixture.direct(&alice, &bob).await;
    let seq = fixture.say(id, &alice, "frist").await;
    let mut edit = edit(id, &alice, seq);
    edit.body.data = Some(RawValue::from_string("1".to_owned()).unwrap());
    let stored = fixture.stored(edit.clone()).await;
    assert_eq!(stored.seq, seq.next());

    let log = fixture.log(id, &bob).await;
    assert_eq!(log[0].body.text.as_deref(), Some("edited"));
    assert_eq!(log[0].body.data.as_ref().unwrap().get(), "1");
    assert_eq!(log[0].edited_at, Some(edit.received_at()));
    assert_eq!(log[1].kind, EntryKind::Edit);
    assert_eq!(log[1].body.text.as_deref(), Some("edited"));
    assert_eq!(log[1].body.target_seq, Some(seq));
    // It is no text that anyone has to read.
    assert_eq!(fixture.seen_by(id, &bob).await.unread, 1);
}

pub async fn only_the_sender_edits(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let group = fixture.group(&alice, &[&bob]).await;
    let seq = fixture.say(group, &bob, "mine").await;
    let refusal = fixture.refused(edit(group, &alice, seq)).await;
    assert_eq!(refusal, Refusal::Forbidden);
    fixture.stored(edit(group, &bob, seq)).await;
}

pub async fn in_a_channel_only_those_who_write_edit(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let channel = fixture.channel(&alice, &[&bob]).await;
    let promoted = |role| about(channel, &alice, EntryKind::RoleChanged, &[&bob], Some(role));
    fixture.stored(promoted(Role::Admin)).await;
    let seq = fixture.say(channel, &bob, "news").await;
    fixture.stored(edit(channel, &bob, seq)).await;
    fixture.stored(promoted(Role::Member)).await;
    let refusal = fixture.refused(edit(channel, &bob, seq)).await;
    assert_eq!(refusal, Refusal::Forbidden);
    // Their own they may still delete.
    fixture.stored(delete(channel, &bob, seq)).await;
}

pub async fn only_a_text_that_is_there_is_edited_or_deleted(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let id = fixture.direct(&alice, &bob).await;
    let text = fixture.say(id, &alice, "text").await;
    let of_an_edit = fixture.stored(edit(id, &alice, text)).await.seq;
    fixture.stored(delete(id, &alice, text)).await;
    let nowhere = Seq::new(1_000);
    for target in [text, of_an_edit, nowhere, Seq::MAX] {
        for entry in [edit(id, &alice, target), delete(id, &alice, target)] {
            assert_eq!(fixture.refused(entry).await, Refusal::Conflict);
        }
    }
    let mut aimless = edit(id, &alice, text);
    aimless.body.target_seq = None;
    assert_eq!(fixture.refused(aimless).await, Refusal::Conflict);
    assert_eq!(fixture.log(id, &alice).await.len(), 3);
}

pub async fn a_delete_blanks_its_target_and_every_edit_of_it(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let id = fixture.direct(&alice, &bob).await;
    let mut secret = said(id, &alice, "secret");
    secret.body.data = Some(RawValue::from_string("{}".to_owned()).unwrap());
    secret.body.mentions = vec![bob.clone()];
    let seq = fixture.stored(secret).await.seq;
    let untouched = fixture.say(id, &alice, "stays").await;
    fixture.stored(edit(id, &alice, seq)).await;
    fixture.stored(edit(id, &alice, untouched)).await;
    let deleted = delete(id, &alice, seq);
    fixture.stored(deleted.clone()).await;

    let log = fixture.log(id, &bob).await;
    assert_eq!(log[0].deleted_at, Some(deleted.received_at()));
    for blank in [&log[0], &log[2]] {
        assert_eq!(blank.body.text, None);
        assert!(blank.body.data.is_none());
        assert!(blank.body.mentions.is_empty());
    }
    assert_eq!(log[1].body.text.as_deref(), Some("edited"));
    assert_eq!(log[3].body.text.as_deref(), Some("edited"));
    assert_eq!(log[4].kind, EntryKind::Delete);
    assert_eq!(log[4].body.target_seq, Some(seq));
}

pub async fn others_messages_are_deleted_by_owner_and_admins_of_a_group_alone(fixture: &Fixture) {
    let [alice, bob, carol] = fixture.users(["alice", "bob", "carol"]).await;
    let group = fixture.group(&alice, &[&bob, &carol]).await;
    let seq = fixture.say(group, &carol, "one").await;
    let refusal = fixture.refused(delete(group, &bob, seq)).await;
    assert_eq!(refusal, Refusal::Forbidden);
    fixture.stored(delete(group, &alice, seq)).await;

    let promoted = about(group, &alice, EntryKind::RoleChanged, &[&bob], Some(Role::Admin));
    fixture.stored(promoted).await;
    let seq = fixture.say(group, &alice, "two").await;
    fixture.stored(delete(group, &bob, seq)).await;

    let direct = fixture.direct(&alice, &bob).await;
    let seq = fixture.say(direct, &bob, "three").await;
    let refusal = fixture.refused(delete(direct, &alice, seq)).await;
    assert_eq!(refusal, Refusal::Forbidden);
    fixture.stored(delete(direct, &bob, seq)).await;
}

pub async fn a_newcomer_cannot_aim_at_what_they_cannot_see(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let group = fixture.group(&alice, &[]).await;
    let seq = fixture.say(group, &alice, "before").await;
    let admin = Some(Role::Admin);
    let joined = about(group, &alice, EntryKind::MemberJoined, &[&bob], admin);
    fixture.stored(joined).await;
    let refusal = fixture.refused(delete(group, &bob, seq)).await;
    assert_eq!(refusal, Refusal::Conflict);
}

pub async fn entries_of_one_batch_see_each_other(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let id = fixture.direct(&alice, &bob).await;
    let first = Seq::new(1);
    let batch = [
        said(id, &alice, "text"),
        edit(id, &alice, first),
        said(id, &bob, "in between"),
        delete(id, &alice, first),
        edit(id, &alice, first),
    ];
    let outcomes = fixture.append(&batch).await;
    assert!(matches!(outcomes[4], tidings::store::Appended::Refused(Refusal::Conflict)));
    let log = fixture.log(id, &bob).await;
    assert_eq!(super::fixture::seqs(&log), [1, 2, 3, 4]);
    assert!(log[0].edited_at.is_some() && log[0].deleted_at.is_some());
}
