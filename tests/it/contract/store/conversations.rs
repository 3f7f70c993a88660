//! Conversations as their members see them.

use tidings::model::{ConversationId, ConversationKind, Role, Seq, UserId};
use tidings::store::{PageOf, Position, ProfileChange};

use super::Fixture;

async fn page(
    fixture: &Fixture,
    user: &UserId,
    after: Option<ConversationId>,
    limit: usize,
) -> Vec<ConversationId> {
    let page = PageOf { user_id: user.clone(), after, limit };
    let pages = fixture.store.conversations_of(&[page]).await.unwrap();
    pages[0].iter().map(|conversation| conversation.id).collect()
}

pub async fn they_are_listed_by_rising_id_page_by_page(fixture: &Fixture) {
    let [alice, bob, carol] = fixture.users(["alice", "bob", "carol"]).await;
    let mut mine = vec![
        fixture.direct(&alice, &bob).await,
        fixture.group(&bob, &[&alice]).await,
        fixture.channel(&alice, &[]).await,
        fixture.direct(&carol, &alice).await,
    ];
    fixture.direct(&bob, &carol).await;
    mine.sort();
    assert_eq!(page(fixture, &alice, None, 100).await, mine);
    assert_eq!(page(fixture, &alice, None, 3).await, mine[..3]);
    assert_eq!(page(fixture, &alice, Some(mine[2]), 3).await, mine[3..]);
    assert_eq!(page(fixture, &alice, Some(mine[3]), 3).await, []);
}

pub async fn pages_of_many_users_come_in_the_order_asked(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let group = fixture.group(&alice, &[&bob]).await;
    fixture.say(group, &alice, "hello").await;
    let pages: Vec<_> = [&bob, &fixture.name("nobody"), &alice]
        .map(|user| PageOf { user_id: user.clone(), after: None, limit: 10 })
        .into();
    let answers = fixture.store.conversations_of(&pages).await.unwrap();
    let seen: Vec<_> = answers
        .iter()
        .map(|page| page.iter().map(|seen| (seen.role, seen.unread)).collect())
        .collect::<Vec<Vec<_>>>();
    assert_eq!(seen, [vec![(Role::Member, 1)], vec![], vec![(Role::Owner, 0)]]);
    let alone = fixture.seen_by(group, &bob).await;
    assert_eq!(answers[0], [alone]);
}

pub async fn groups_of_a_page_may_come_without_members_which_are_asked_for_once(fixture: &Fixture) {
    let [alice, bob, carol] = fixture.users(["alice", "bob", "carol"]).await;
    let group = fixture.group(&carol, &[&bob, &alice]).await;
    let channel = fixture.channel(&alice, &[&bob]).await;
    let direct = fixture.direct(&alice, &bob).await;
    let seq = fixture.say(group, &bob, "hello").await;
    fixture.say(direct, &alice, "hello").await;
    let reached = Position {
        conversation_id: group,
        user_id: alice.clone(),
        read_seq: Seq::ZERO,
        delivered_seq: seq,
        seen_seq: Seq::ZERO,
    };
    fixture.store.advance(&[reached]).await.unwrap();
    let pages: Vec<_> =
        [&alice, &bob, &carol].map(|user| PageOf { user_id: user.clone(), after: None, limit: 10 }).into();
    let whole = fixture.store.conversations_of(&pages).await.unwrap();
    let mut bare = fixture.store.pages_of(&pages).await.unwrap();
    let ids = [channel, ConversationId::new(), group];
    let shown = fixture.store.shown_members(&ids).await.unwrap();
    assert_eq!(shown.iter().map(Vec::len).collect::<Vec<_>>(), [2, 0, 3]);
    let read: Vec<_> = shown[2].iter().map(|one| (one.read_seq, one.delivered_seq)).collect();
    assert_eq!(read, [(Seq::ZERO, seq), (seq, seq), (Seq::ZERO, Seq::ZERO)]);
    for conversation in bare.iter_mut().flatten().filter(|one| one.kind != ConversationKind::Direct) {
        assert!(conversation.members.is_empty());
        let place = ids.iter().position(|id| *id == conversation.id).unwrap();
        conversation.members.clone_from(&shown[place]);
    }
    assert_eq!(bare, whole);
}

pub async fn a_conversation_differs_from_member_to_member(fixture: &Fixture) {
    let [alice, bob, eve] = fixture.users(["alice", "bob", "eve"]).await;
    let id = fixture.direct(&alice, &bob).await;
    fixture.say(id, &alice, "1").await;
    fixture.say(id, &alice, "2").await;
    let users = [bob.clone(), eve, alice.clone()];
    let seen = fixture.store.conversation_for(id, &users).await.unwrap();
    assert!(seen[1].is_none());
    let of_bob = seen[0].as_ref().unwrap();
    let of_alice = seen[2].as_ref().unwrap();
    assert_eq!(of_bob.kind, ConversationKind::Direct);
    assert_eq!(of_bob.title, None);
    assert_eq!((of_bob.unread, of_bob.read_seq.get()), (2, 0));
    assert_eq!((of_alice.unread, of_alice.read_seq.get()), (0, 2));
    assert_eq!(of_bob.members, of_alice.members);
    let positions: Vec<_> = of_bob
        .members
        .iter()
        .map(|member| (&member.user_id, member.read_seq.get(), member.delivered_seq.get()))
        .collect();
    assert_eq!(positions, [(&alice, 2, 2), (&bob, 0, 0)]);
    let nowhere = fixture.store.conversation_for(ConversationId::new(), &users).await;
    assert!(nowhere.unwrap().iter().all(Option::is_none));
}

pub async fn members_are_listed_by_rising_id_with_their_profiles(fixture: &Fixture) {
    let [alice, bob, carol] = fixture.users(["alice", "bob", "carol"]).await;
    let profile = ProfileChange {
        display_name: Some(Some("Bob".to_owned())),
        avatar_url: Some(Some("https://example.org/b.png".to_owned())),
    };
    fixture.store.change_profile(&bob, &profile).await.unwrap();
    let group = fixture.group(&carol, &[&alice, &bob]).await;
    let members = fixture.store.members(group, None, 2).await.unwrap();
    let ids: Vec<_> = members.iter().map(|member| &member.user_id).collect();
    assert_eq!(ids, [&alice, &bob]);
    assert_eq!(members[0].display_name, None);
    assert_eq!(members[1].display_name.as_deref(), Some("Bob"));
    let avatar = members[1].avatar_url.as_deref();
    assert_eq!(avatar, Some("https://example.org/b.png"));
    let rest = fixture.store.members(group, Some(&bob), 2).await.unwrap();
    assert_eq!(rest.len(), 1);
    assert_eq!((&rest[0].user_id, rest[0].role), (&carol, Role::Owner));
}
