//! Direct conversations: made by their first message, and who may write in them.

use tidings::model::{ConversationId, ConversationKind, EntryKind, Refusal, Role, Timestamp};
use tidings::store::{Created, ProfileChange, Relation};

use super::Fixture;
use super::fixture::{about, entry, said, said_to, texts};

pub async fn the_first_message_makes_users_conversation_and_members(fixture: &Fixture) {
    let (alice, bob) = (fixture.name("alice"), fixture.name("bob"));
    let id = ConversationId::direct(&alice, &bob);
    let stored = fixture.stored(said_to(&alice, &bob, "hello")).await;
    assert_eq!(stored.seq.get(), 1);
    assert_eq!(stored.kind, ConversationKind::Direct);
    assert_eq!(stored.members_seq.get(), 0);
    assert!(stored.original.is_none());

    let member = |user| (user, Role::Member);
    let roles = fixture.roles(id).await;
    assert_eq!(roles, [member(alice.clone()), member(bob.clone())]);
    assert_eq!(texts(&fixture.log(id, &bob).await), ["hello"]);
    let profiles = fixture.store.profiles(&[alice, bob]).await.unwrap();
    assert_eq!(profiles.len(), 2);
}

pub async fn nobody_unknown_is_made_without_leave(fixture: &Fixture) {
    let [alice] = fixture.users(["alice"]).await;
    let stranger = fixture.name("stranger");
    let mut entry = said_to(&alice, &stranger, "hello");
    entry.provision = false;
    assert_eq!(fixture.refused(entry.clone()).await, Refusal::NotFound);
    let made = fixture.store.profiles(std::slice::from_ref(&stranger)).await;
    assert_eq!(made.unwrap(), []);

    entry.provision = true;
    fixture.stored(entry).await;
}

pub async fn a_conversation_that_is_not_there_is_made_only_on_request(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let mut entry = said_to(&alice, &bob, "hello");
    entry.create = false;
    assert_eq!(fixture.refused(entry).await, Refusal::NotFound);
    // The id has to be that of the two users.
    let mut entry = said_to(&alice, &bob, "hello");
    entry.conversation_id = ConversationId::new();
    assert_eq!(fixture.refused(entry).await, Refusal::NotFound);
}

pub async fn making_it_by_hand_finds_what_is_there(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let id = ConversationId::direct(&alice, &bob);
    let now = Timestamp::now();
    let created = fixture.store.create_direct(&alice, &bob, false, now).await;
    assert_eq!(created.unwrap(), Created::New(id));
    let created = fixture.store.create_direct(&bob, &alice, false, now).await;
    assert_eq!(created.unwrap(), Created::Existed(id));

    let stranger = fixture.name("stranger");
    let created = fixture.store.create_direct(&alice, &stranger, false, now).await;
    assert_eq!(created.unwrap(), Created::UnknownUser(stranger.clone()));
    let created = fixture.store.create_direct(&alice, &stranger, true, now).await;
    assert!(matches!(created.unwrap(), Created::New(_)));
}

pub async fn a_third_user_finds_nothing_to_write_to(fixture: &Fixture) {
    let [alice, bob, eve] = fixture.users(["alice", "bob", "eve"]).await;
    let id = fixture.direct(&alice, &bob).await;
    assert_eq!(fixture.refused(said(id, &eve, "hi")).await, Refusal::NotFound);
}

pub async fn whom_the_other_blocked_may_not_write_until_unblocked(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let id = fixture.direct(&alice, &bob).await;
    let block = Relation::Block;
    assert!(fixture.store.add_relation(block, &bob, &alice).await.unwrap());
    let refusal = fixture.refused(said(id, &alice, "blocked")).await;
    assert_eq!(refusal, Refusal::Forbidden);
    fixture.say(id, &bob, "who blocks may write").await;
    assert!(fixture.store.remove_relation(block, &bob, &alice).await.unwrap());
    fixture.say(id, &alice, "unblocked").await;
}

pub async fn a_block_from_before_the_conversation_counts(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let block = Relation::Block;
    assert!(fixture.store.add_relation(block, &alice, &bob).await.unwrap());
    let refusal = fixture.refused(said_to(&bob, &alice, "hello")).await;
    assert_eq!(refusal, Refusal::Forbidden);
    fixture.stored(said_to(&alice, &bob, "hello")).await;
}

pub async fn with_a_deactivated_user_nobody_writes(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let id = fixture.direct(&alice, &bob).await;
    let now = Timestamp::now();
    assert!(fixture.store.deactivate(&bob, now).await.unwrap());
    for sender in [&alice, &bob] {
        let refusal = fixture.refused(said(id, sender, "no")).await;
        assert_eq!(refusal, Refusal::Forbidden);
    }
    let again = ProfileChange::default();
    fixture.store.provision(&bob, &again).await.unwrap();
    fixture.say(id, &alice, "welcome back").await;
}

pub async fn its_members_and_title_do_not_change(fixture: &Fixture) {
    let [alice, bob, eve] = fixture.users(["alice", "bob", "eve"]).await;
    let id = fixture.direct(&alice, &bob).await;
    let title = said(id, &alice, "title");
    let attempts = [
        about(id, &alice, EntryKind::MemberJoined, &[&eve], None),
        about(id, &alice, EntryKind::MemberLeft, &[&alice], None),
        about(id, &alice, EntryKind::RoleChanged, &[&bob], Some(Role::Admin)),
        entry(id, &alice, EntryKind::TitleChanged, title.body),
    ];
    for attempt in attempts {
        assert_eq!(fixture.refused(attempt).await, Refusal::Forbidden);
    }
    assert_eq!(fixture.log(id, &alice).await.len(), 0);
}
