//! Groups and channels: made, seen, listed.

use tidings::model::{ClientId, ConversationId, ConversationKind, Membership, Notify, Role, Seq, Timestamp};
use tidings::store::{Created, NewGroup, Preferences};

use super::Fixture;
use super::fixture::new_group;

pub async fn a_group_is_made_with_its_members_and_no_entry(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let carol = fixture.name("carol");
    let mut group = new_group(&bob, &[&carol, &alice, &bob, &carol]);
    group.kind = ConversationKind::Channel;
    let created = fixture.store.create_group(&group).await.unwrap();
    assert_eq!(created, Created::New(group.id));

    let view = fixture.store.views(&[group.id]).await.unwrap().remove(0);
    let view = view.unwrap();
    assert_eq!(view.kind, ConversationKind::Channel);
    assert_eq!(view.members_seq.get(), 0);
    assert_eq!(view.members, [(alice, Role::Member), (bob.clone(), Role::Owner), (carol, Role::Member)]);
    let seen = fixture.seen_by(group.id, &bob).await;
    assert_eq!(seen.title.as_deref(), Some("Team"));
    assert_eq!((seen.last_seq.get(), seen.first_seq.get()), (0, 1));
    assert_eq!((seen.member_count, seen.unread), (3, 0));
    assert_eq!(seen.created_at, group.created_at);
    assert_eq!(seen.role, Role::Owner);
}

pub async fn a_group_with_an_unknown_user_is_not_made_without_leave(fixture: &Fixture) {
    let [alice] = fixture.users(["alice"]).await;
    let stranger = fixture.name("stranger");
    let group = NewGroup { provision: false, ..new_group(&alice, &[&stranger]) };
    let created = fixture.store.create_group(&group).await.unwrap();
    assert_eq!(created, Created::UnknownUser(stranger));
    assert_eq!(fixture.store.views(&[group.id]).await.unwrap(), [None]);
    let groups = fixture.store.groups_of(&[alice]).await.unwrap();
    assert_eq!(groups, [vec![]]);
}

pub async fn a_retry_finds_the_group_that_the_first_request_made(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let request = NewGroup { client_id: Some(ClientId::new()), ..new_group(&alice, &[&bob]) };
    let created = fixture.store.create_group(&request).await.unwrap();
    assert_eq!(created, Created::New(request.id));
    let retry = NewGroup { id: ConversationId::new(), ..request.clone() };
    let created = fixture.store.create_group(&retry).await.unwrap();
    assert_eq!(created, Created::Existed(request.id));
    assert_eq!(fixture.store.views(&[retry.id]).await.unwrap(), [None]);

    let of_another = NewGroup { id: ConversationId::new(), creator: bob, ..request };
    let created = fixture.store.create_group(&of_another).await.unwrap();
    assert_eq!(created, Created::New(of_another.id));
}

pub async fn groups_of_a_user_are_listed_without_direct_conversations(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let nobody = fixture.name("nobody");
    let group = fixture.group(&alice, &[&bob]).await;
    let channel = fixture.channel(&alice, &[]).await;
    fixture.direct(&alice, &bob).await;
    let users = [bob, nobody, alice];
    let mut groups = fixture.store.groups_of(&users).await.unwrap();
    groups[2].sort_by_key(|membership| membership.conversation_id != group);
    let membership = |conversation_id| Membership { conversation_id, members_seq: Seq::ZERO };
    assert_eq!(groups, [vec![membership(group)], vec![], vec![membership(group), membership(channel)]]);
}

pub async fn views_come_in_the_order_asked_and_none_for_what_is_not_there(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let group = fixture.group(&alice, &[]).await;
    let direct = fixture.direct(&alice, &bob).await;
    let unknown = ConversationId::new();
    let views = fixture.store.views(&[direct, unknown, group]).await;
    let ids: Vec<_> = views.unwrap().into_iter().map(|view| view.map(|view| view.id)).collect();
    assert_eq!(ids, [Some(direct), None, Some(group)]);
}

pub async fn a_member_wishes_what_rings(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let group = fixture.group(&alice, &[]).await;
    let seen = fixture.seen_by(group, &alice).await;
    assert_eq!((seen.notify, seen.muted_until), (Notify::All, None));

    let until = Timestamp::from_millis(1_900_000_000_000);
    let wishes =
        [(Some(Notify::None), Some(Some(until))), (None, None), (Some(Notify::Mentions), Some(None))];
    let expected = [(Notify::None, Some(until)), (Notify::None, Some(until)), (Notify::Mentions, None)];
    for ((notify, muted_until), expected) in wishes.into_iter().zip(expected) {
        let wish = Preferences { notify, muted_until };
        let store = &fixture.store;
        assert!(store.set_preferences(group, &alice, &wish).await.unwrap());
        assert!(!store.set_preferences(group, &bob, &wish).await.unwrap());
        let seen = fixture.seen_by(group, &alice).await;
        assert_eq!((seen.notify, seen.muted_until), expected);
    }
}

pub async fn above_a_hundred_members_only_mentions_ring_by_default(fixture: &Fixture) {
    let [alice] = fixture.users(["alice"]).await;
    let crowd: Vec<_> = (0..100).map(|n| fixture.name(&format!("user{n:03}"))).collect();
    let members: Vec<_> = crowd.iter().collect();
    let full = fixture.group(&alice, &members[..99]).await;
    assert_eq!(fixture.seen_by(full, &alice).await.notify, Notify::All);
    let large = fixture.group(&alice, &members).await;
    let seen = fixture.seen_by(large, &alice).await;
    assert_eq!(seen.notify, Notify::Mentions);
    assert_eq!((seen.member_count, seen.members.len()), (101, 100));
    let all = Preferences { notify: Some(Notify::All), muted_until: None };
    fixture.store.set_preferences(large, &alice, &all).await.unwrap();
    assert_eq!(fixture.seen_by(large, &alice).await.notify, Notify::All);
}
