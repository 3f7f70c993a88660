//! Entries that change a group's members, roles and title.

use tidings::model::{Body, ConversationId, EntryKind, NewEntry, Refusal, Role, Seq, Timestamp, UserId};
use tidings::store::{Audience, ProfileChange};

use super::Fixture;
use super::fixture::{about, entry, said, seqs, texts};

fn join(id: ConversationId, sender: &UserId, users: &[&UserId]) -> NewEntry {
    about(id, sender, EntryKind::MemberJoined, users, None)
}

fn leave(id: ConversationId, sender: &UserId, users: &[&UserId]) -> NewEntry {
    about(id, sender, EntryKind::MemberLeft, users, None)
}

fn promote(id: ConversationId, sender: &UserId, user: &UserId, role: Role) -> NewEntry {
    about(id, sender, EntryKind::RoleChanged, &[user], Some(role))
}

fn retitle(id: ConversationId, sender: &UserId, title: &str) -> NewEntry {
    let body = Body { text: Some(title.to_owned()), ..Body::default() };
    entry(id, sender, EntryKind::TitleChanged, body)
}

async fn role_of(fixture: &Fixture, id: ConversationId, user: &UserId) -> Option<Role> {
    let roles = fixture.roles(id).await;
    roles.iter().find(|(id, _)| id == user).map(|(_, role)| *role)
}

pub async fn newcomers_see_history_from_their_joining_on(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let group = fixture.group(&alice, &[]).await;
    fixture.say(group, &alice, "before").await;
    let stored = fixture.stored(join(group, &alice, &[&bob])).await;
    assert_eq!((stored.seq.get(), stored.members_seq.get()), (2, 2));
    assert_eq!(stored.audience.joined, std::slice::from_ref(&bob));
    fixture.say(group, &alice, "after").await;

    let seen = fixture.seen_by(group, &bob).await;
    assert_eq!((seen.first_seq.get(), seen.read_seq.get()), (2, 2));
    assert_eq!((seen.unread, seen.member_count), (1, 2));
    assert_eq!(seen.role, Role::Member);
    let log = fixture.log(group, &bob).await;
    assert_eq!(seqs(&log), [2, 3]);
    assert_eq!(log[0].kind, EntryKind::MemberJoined);
    assert_eq!(log[0].body.user_ids, [bob]);
    let view = fixture.store.views(&[group]).await.unwrap().remove(0);
    assert_eq!(view.unwrap().members_seq, Seq::new(2));
}

pub async fn who_is_a_member_already_is_left_out(fixture: &Fixture) {
    let [alice, bob, carol] = fixture.users(["alice", "bob", "carol"]).await;
    let group = fixture.group(&alice, &[&bob]).await;
    let entry = join(group, &alice, &[&bob, &carol, &carol, &alice]);
    let stored = fixture.stored(entry).await;
    assert_eq!(stored.audience.joined, [carol]);
    let refusal = fixture.refused(join(group, &alice, &[&bob])).await;
    assert_eq!(refusal, Refusal::Conflict);
    let seen = fixture.seen_by(group, &bob).await;
    assert_eq!((seen.member_count, seen.first_seq.get()), (3, 1));
}

pub async fn strangers_join_only_where_they_may_be_made(fixture: &Fixture) {
    let [alice] = fixture.users(["alice"]).await;
    let (one, other) = (fixture.name("one"), fixture.name("other"));
    let group = fixture.group(&alice, &[]).await;
    let mut entry = join(group, &alice, &[&one, &other]);
    assert_eq!(fixture.refused(entry.clone()).await, Refusal::NotFound);
    assert_eq!(fixture.roles(group).await.len(), 1);
    entry.provision = true;
    let stored = fixture.stored(entry).await;
    assert_eq!(stored.audience.joined.len(), 2);
    let profiles = fixture.store.profiles(&[one, other]).await.unwrap();
    assert_eq!(profiles.len(), 2);
}

pub async fn only_owner_and_admins_add_and_remove_and_name(fixture: &Fixture) {
    let [alice, bob, carol, dave] = fixture.users(["alice", "bob", "carol", "dave"]).await;
    let group = fixture.group(&alice, &[&bob, &carol]).await;
    let attempts = || {
        [
            join(group, &bob, &[&dave]),
            leave(group, &bob, &[&carol]),
            promote(group, &bob, &carol, Role::Admin),
            retitle(group, &bob, "Mine"),
        ]
    };
    for attempt in attempts() {
        assert_eq!(fixture.refused(attempt).await, Refusal::Forbidden);
    }
    let promotion = fixture.stored(promote(group, &alice, &bob, Role::Admin)).await;
    assert_eq!(promotion.members_seq, promotion.seq);
    assert_eq!(promotion.audience, Audience::default());
    // Admins may all of it; who was removed cannot be promoted.
    let [joins, leaves, promotes, retitles] = attempts();
    fixture.stored(joins).await;
    fixture.stored(promotes).await;
    fixture.stored(leaves).await;
    fixture.stored(retitles).await;
    assert_eq!(role_of(fixture, group, &dave).await, Some(Role::Member));
    assert_eq!(role_of(fixture, group, &carol).await, None);
    let absent = promote(group, &alice, &carol, Role::Admin);
    assert_eq!(fixture.refused(absent).await, Refusal::Conflict);
}

pub async fn a_title_changes_by_an_entry(fixture: &Fixture) {
    let [alice] = fixture.users(["alice"]).await;
    let group = fixture.group(&alice, &[]).await;
    let stored = fixture.stored(retitle(group, &alice, "New name")).await;
    assert_eq!((stored.seq.get(), stored.members_seq.get()), (1, 0));
    let seen = fixture.seen_by(group, &alice).await;
    assert_eq!(seen.title.as_deref(), Some("New name"));
    assert_eq!(seen.unread, 0);
    let log = fixture.log(group, &alice).await;
    assert_eq!(log[0].kind, EntryKind::TitleChanged);
    assert_eq!(texts(&log), ["New name"]);
}

pub async fn anyone_leaves_and_sees_nothing_any_more(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let group = fixture.group(&alice, &[&bob]).await;
    fixture.say(group, &alice, "text").await;
    let stored = fixture.stored(leave(group, &bob, &[&bob])).await;
    assert_eq!(stored.audience.left, std::slice::from_ref(&bob));
    assert_eq!(stored.members_seq, stored.seq);
    assert_eq!(fixture.roles(group).await, [(alice.clone(), Role::Owner)]);
    assert_eq!(fixture.seen_by(group, &alice).await.member_count, 1);
    let range = tidings::store::Range::After(Seq::ZERO);
    let page = fixture.store.history(group, &bob, range, 10).await.unwrap();
    assert!(page.is_none());
    let refusal = fixture.refused(said(group, &bob, "gone")).await;
    assert_eq!(refusal, Refusal::NotFound);
    let groups = fixture.store.groups_of(&[bob]).await.unwrap();
    assert_eq!(groups, [vec![]]);
}

pub async fn who_returns_starts_anew(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let group = fixture.group(&alice, &[&bob]).await;
    fixture.stored(leave(group, &alice, &[&bob])).await;
    fixture.say(group, &alice, "missed").await;
    let joined = fixture.stored(join(group, &alice, &[&bob])).await;
    let seen = fixture.seen_by(group, &bob).await;
    assert_eq!((seen.first_seq, seen.unread), (joined.seq, 0));
    assert_eq!(fixture.log(group, &bob).await.len(), 1);
}

pub async fn nobody_to_remove_is_a_conflict(fixture: &Fixture) {
    let [alice, eve] = fixture.users(["alice", "eve"]).await;
    let group = fixture.group(&alice, &[]).await;
    let refusal = fixture.refused(leave(group, &alice, &[&eve])).await;
    assert_eq!(refusal, Refusal::Conflict);
}

pub async fn an_admin_may_not_touch_the_owner(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let group = fixture.group(&alice, &[&bob]).await;
    fixture.stored(promote(group, &alice, &bob, Role::Admin)).await;
    let attempts = [
        leave(group, &bob, &[&alice]),
        promote(group, &bob, &alice, Role::Member),
        promote(group, &bob, &bob, Role::Owner),
    ];
    for attempt in attempts {
        assert_eq!(fixture.refused(attempt).await, Refusal::Forbidden);
    }
    assert_eq!(role_of(fixture, group, &alice).await, Some(Role::Owner));
}

pub async fn the_owner_hands_the_group_on(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let group = fixture.group(&alice, &[&bob]).await;
    fixture.stored(promote(group, &alice, &bob, Role::Owner)).await;
    let expected = [(alice.clone(), Role::Admin), (bob.clone(), Role::Owner)];
    assert_eq!(fixture.roles(group).await, expected);
    fixture.stored(promote(group, &bob, &alice, Role::Member)).await;
    assert_eq!(role_of(fixture, group, &alice).await, Some(Role::Member));
}

pub async fn when_the_owner_leaves_the_oldest_admin_follows(fixture: &Fixture) {
    let [alice, bob, carol, dave] = fixture.users(["alice", "bob", "carol", "dave"]).await;
    let group = fixture.group(&alice, &[&bob]).await;
    fixture.stored(join(group, &alice, &[&dave])).await;
    fixture.stored(join(group, &alice, &[&carol])).await;
    fixture.stored(promote(group, &alice, &carol, Role::Admin)).await;
    fixture.stored(promote(group, &alice, &dave, Role::Admin)).await;
    fixture.stored(leave(group, &alice, &[&alice])).await;
    // Dave joined before Carol, Bob is older but no admin.
    let expected = [(bob.clone(), Role::Member), (carol.clone(), Role::Admin), (dave.clone(), Role::Owner)];
    assert_eq!(fixture.roles(group).await, expected);

    fixture.stored(leave(group, &dave, &[&carol])).await;
    fixture.stored(leave(group, &dave, &[&dave])).await;
    // No admin is left: the oldest member follows.
    assert_eq!(fixture.roles(group).await, [(bob.clone(), Role::Owner)]);
    fixture.stored(leave(group, &bob, &[&bob])).await;
    assert_eq!(fixture.roles(group).await, []);
}

pub async fn a_deactivated_admin_changes_nothing(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let group = fixture.group(&alice, &[]).await;
    let now = Timestamp::now();
    assert!(fixture.store.deactivate(&alice, now).await.unwrap());
    let refusal = fixture.refused(join(group, &alice, &[&bob])).await;
    assert_eq!(refusal, Refusal::Forbidden);
    let again = ProfileChange::default();
    fixture.store.provision(&alice, &again).await.unwrap();
    fixture.stored(join(group, &alice, &[&bob])).await;
}
