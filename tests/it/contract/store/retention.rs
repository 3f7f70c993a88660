//! Retention: old entries go.

use tidings::model::{ConversationId, EntryKind, Seq, Timestamp, UserId};
use tidings::store::Range;

use super::Fixture;
use super::fixture::{aimed, said, seqs, texts};

/// Long before what other tests write, should they share the database.
const LONG_AGO: i64 = 1_000_000;

async fn say_at(fixture: &Fixture, id: ConversationId, sender: &UserId, millis: i64) -> Seq {
    let mut entry = said(id, sender, &millis.to_string());
    entry.received_ms = millis;
    fixture.stored(entry).await.seq
}

async fn expire(fixture: &Fixture, before: i64, limit: usize) -> usize {
    let before = Timestamp::from_millis(before);
    fixture.store.expire(before, limit).await.unwrap()
}

/// One test, because expiring looks at all conversations.
pub async fn old_entries_go_and_history_begins_later(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let one = fixture.direct(&alice, &bob).await;
    let other = fixture.group(&alice, &[&bob]).await;
    for offset in [0, 1, 2, 9] {
        say_at(fixture, one, &alice, LONG_AGO + offset).await;
    }
    say_at(fixture, other, &alice, LONG_AGO).await;
    fixture.stored(aimed(other, &bob, EntryKind::Reaction, Seq::new(1))).await;

    assert_eq!(expire(fixture, LONG_AGO, 100).await, 0);
    // At most as many as asked, until none is left.
    assert_eq!(expire(fixture, LONG_AGO + 5, 1).await, 1);
    assert_eq!(expire(fixture, LONG_AGO + 5, 100).await, 3);
    assert_eq!(expire(fixture, LONG_AGO + 5, 100).await, 0);

    let page = fixture.page(one, &bob, Range::Before(Seq::MAX), 10).await;
    assert_eq!(texts(&page.entries), ["1000009"]);
    assert_eq!((page.first_seq.get(), page.has_more), (4, false));
    let seen = fixture.seen_by(one, &bob).await;
    assert_eq!((seen.first_seq.get(), seen.last_seq.get()), (4, 4));
    let target = fixture.store.target(one, &bob, Seq::new(1)).await;
    assert!(target.unwrap().is_none());
    // The reaction is younger than the text that it was under.
    assert_eq!(seqs(&fixture.log(other, &bob).await), [2]);

    // A log that lost everything goes on where it was.
    assert_eq!(expire(fixture, LONG_AGO + 10, 100).await, 1);
    let page = fixture.page(one, &bob, Range::After(Seq::ZERO), 10).await;
    assert_eq!((page.entries.len(), page.first_seq.get()), (0, 5));
    let next = fixture.say(one, &bob, "next").await;
    assert_eq!(next.get(), 5);
    let seen = fixture.seen_by(one, &alice).await;
    assert_eq!((seen.unread, seen.read_seq.get()), (1, 4));
}
