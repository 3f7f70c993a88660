//! Reactions.

use tidings::model::{ConversationId, EntryKind, NewEntry, Reaction, Refusal, Seq, UserId};
use tidings::store::Range;

use super::Fixture;
use super::fixture::aimed;

fn react(id: ConversationId, sender: &UserId, target: Seq, emoji: &str) -> NewEntry {
    let mut entry = aimed(id, sender, EntryKind::Reaction, target);
    entry.body.emoji = Some(emoji.to_owned());
    entry
}

fn take_back(id: ConversationId, sender: &UserId, target: Seq, emoji: &str) -> NewEntry {
    let mut entry = react(id, sender, target, emoji);
    entry.body.remove = true;
    entry
}

pub async fn any_member_reacts_also_in_a_channel(fixture: &Fixture) {
    let [alice, bob, eve] = fixture.users(["alice", "bob", "eve"]).await;
    let channel = fixture.channel(&alice, &[&bob]).await;
    let seq = fixture.say(channel, &alice, "news").await;
    fixture.stored(react(channel, &bob, seq, "👍")).await;
    let refusal = fixture.refused(react(channel, &eve, seq, "👍")).await;
    assert_eq!(refusal, Refusal::NotFound);
}

pub async fn a_history_sums_them_up_the_earliest_first(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let group = fixture.group(&bob, &[&alice]).await;
    let first = fixture.say(group, &alice, "first").await;
    let second = fixture.say(group, &alice, "second").await;
    for (user, target, emoji) in
        [(&bob, first, "🎉"), (&alice, first, "👍"), (&alice, first, "🎉"), (&alice, second, "👍")]
    {
        fixture.stored(react(group, user, target, emoji)).await;
    }
    let log = fixture.log(group, &alice).await;
    let reaction = |emoji: &str, user_ids: &[&UserId]| Reaction {
        emoji: emoji.to_owned(),
        count: i64::try_from(user_ids.len()).unwrap(),
        user_ids: user_ids.iter().copied().cloned().collect(),
    };
    assert_eq!(log[0].reactions, [reaction("🎉", &[&bob, &alice]), reaction("👍", &[&alice])]);
    assert_eq!(log[1].reactions, [reaction("👍", &[&alice])]);
    assert_eq!(log[2].reactions, []);
    assert_eq!(log[2].kind, EntryKind::Reaction);
    assert_eq!(log[2].body.emoji.as_deref(), Some("🎉"));
}

pub async fn many_are_counted_and_twenty_named(fixture: &Fixture) {
    let [owner] = fixture.users(["owner"]).await;
    let crowd: Vec<UserId> = (0..23).map(|n| fixture.name(&format!("user{n:02}"))).collect();
    let members: Vec<&UserId> = crowd.iter().collect();
    let group = fixture.group(&owner, &members).await;
    let seq = fixture.say(group, &owner, "text").await;
    // Not in the order of their names.
    let reacting: Vec<_> = crowd.iter().rev().collect();
    for user in &reacting {
        fixture.stored(react(group, user, seq, "👍")).await;
    }
    let page = fixture.page(group, &owner, Range::After(Seq::ZERO), 1).await;
    let [reaction] = page.entries[0].reactions.as_slice() else {
        panic!("one emoji: {:?}", page.entries[0].reactions);
    };
    assert_eq!(reaction.count, 23);
    let named: Vec<_> = reaction.user_ids.iter().collect();
    assert_eq!(named, reacting[..20]);
}

pub async fn the_same_reaction_twice_counts_once_and_taking_back_none_changes_nothing(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let id = fixture.direct(&alice, &bob).await;
    let seq = fixture.say(id, &alice, "text").await;
    fixture.stored(take_back(id, &bob, seq, "👍")).await;
    for _ in 0..2 {
        fixture.stored(react(id, &bob, seq, "👍")).await;
    }
    let log = fixture.log(id, &alice).await;
    assert_eq!((log[0].reactions[0].count, log.len()), (1, 4));
    fixture.stored(react(id, &bob, seq, "👎")).await;
    fixture.stored(take_back(id, &bob, seq, "👍")).await;
    let log = fixture.log(id, &alice).await;
    let emoji: Vec<_> = log[0].reactions.iter().map(|one| one.emoji.as_str()).collect();
    assert_eq!(emoji, ["👎"]);
    assert!(log[5].body.remove);
}

pub async fn only_a_text_that_is_there_is_reacted_to(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let id = fixture.direct(&alice, &bob).await;
    let seq = fixture.say(id, &alice, "text").await;
    let reaction = fixture.stored(react(id, &bob, seq, "👍")).await.seq;
    fixture.stored(aimed(id, &alice, EntryKind::Delete, seq)).await;
    for target in [seq, reaction, Seq::new(99)] {
        let refusal = fixture.refused(react(id, &bob, target, "🎉")).await;
        assert_eq!(refusal, Refusal::Conflict);
    }
}
