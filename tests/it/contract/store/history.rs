//! Reading the log.

use tidings::model::{ConversationId, EntryKind, Role, Seq, UserId};
use tidings::store::{Range, Span};

use super::Fixture;
use super::fixture::{about, aimed, said, seqs, texts};

async fn ten_texts(fixture: &Fixture, id: ConversationId, sender: &UserId) {
    let batch: Vec<_> = (1..=10).map(|n| said(id, sender, &n.to_string())).collect();
    fixture.append(&batch).await;
}

fn span(id: ConversationId, user: &UserId, after: i64, up_to: i64, limit: usize) -> Span {
    Span { conversation_id: id, user_id: user.clone(), after: Seq::new(after), up_to: Seq::new(up_to), limit }
}

pub async fn pages_ascend_and_say_whether_there_is_more(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let id = fixture.direct(&alice, &bob).await;
    ten_texts(fixture, id, &alice).await;
    let cases: [(Range, usize, &[i64], bool); 9] = [
        (Range::Before(Seq::MAX), 3, &[8, 9, 10], true),
        (Range::Before(Seq::new(8)), 3, &[5, 6, 7], true),
        (Range::Before(Seq::new(4)), 3, &[1, 2, 3], false),
        (Range::Before(Seq::new(1)), 3, &[], false),
        (Range::Before(Seq::ZERO), 3, &[], false),
        (Range::After(Seq::ZERO), 3, &[1, 2, 3], true),
        (Range::After(Seq::new(7)), 3, &[8, 9, 10], false),
        (Range::After(Seq::new(10)), 3, &[], false),
        (Range::After(Seq::MAX), 3, &[], false),
    ];
    for (range, limit, expected, more) in cases {
        let page = fixture.page(id, &bob, range, limit).await;
        assert_eq!(seqs(&page.entries), expected, "{range:?}");
        assert_eq!(page.has_more, more, "{range:?}");
        assert_eq!(page.first_seq.get(), 1);
    }
}

pub async fn who_is_no_member_reads_nothing(fixture: &Fixture) {
    let [alice, bob, eve] = fixture.users(["alice", "bob", "eve"]).await;
    let id = fixture.direct(&alice, &bob).await;
    let seq = fixture.say(id, &alice, "private").await;
    let store = &fixture.store;
    let range = Range::After(Seq::ZERO);
    assert!(store.history(id, &eve, range, 10).await.unwrap().is_none());
    let nowhere = store.history(ConversationId::new(), &bob, range, 10).await;
    assert!(nowhere.unwrap().is_none());
    let spans = store.spans(&[span(id, &eve, 0, 10, 10)]).await.unwrap();
    assert_eq!(spans.len(), 1);
    assert!(spans[0].is_empty());
    assert!(store.target(id, &eve, seq).await.unwrap().is_none());
}

pub async fn a_newcomer_reads_nothing_from_before(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let group = fixture.group(&alice, &[]).await;
    ten_texts(fixture, group, &alice).await;
    let joined = about(group, &alice, EntryKind::MemberJoined, &[&bob], None);
    fixture.stored(joined).await;
    let page = fixture.page(group, &bob, Range::Before(Seq::MAX), 5).await;
    assert_eq!((seqs(&page.entries), page.has_more), (vec![11], false));
    assert_eq!(page.first_seq.get(), 11);
    let spans = fixture.store.spans(&[span(group, &bob, 0, 20, 20)]).await;
    assert_eq!(seqs(&spans.unwrap()[0]), [11]);
    let target = fixture.store.target(group, &bob, Seq::new(10)).await;
    assert!(target.unwrap().is_none());
}

pub async fn spans_are_the_oldest_of_their_range_in_the_order_asked(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let direct = fixture.direct(&alice, &bob).await;
    let group = fixture.group(&alice, &[&bob]).await;
    ten_texts(fixture, direct, &alice).await;
    ten_texts(fixture, group, &bob).await;
    let asked = [
        span(group, &bob, 7, 9, 10),
        span(direct, &alice, 0, 10, 4),
        span(ConversationId::new(), &alice, 0, 10, 4),
        span(direct, &bob, 10, 10, 4),
        span(direct, &bob, 9, 1_000, 4),
    ];
    let answers = fixture.store.spans(&asked).await.unwrap();
    let answers: Vec<_> = answers.iter().map(|entries| seqs(entries)).collect();
    let none = Vec::new;
    assert_eq!(answers, [vec![8, 9], vec![1, 2, 3, 4], none(), none(), vec![10]]);
    let entries = fixture.store.spans(&asked[1..2]).await.unwrap().remove(0);
    assert_eq!(texts(&entries), ["1", "2", "3", "4"]);
    assert!(entries.iter().all(|entry| entry.conversation_id == direct));
}

pub async fn a_target_is_judged_with_the_role_of_who_asks(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let group = fixture.group(&alice, &[&bob]).await;
    let seq = fixture.say(group, &bob, "text").await;
    let store = &fixture.store;
    let target = store.target(group, &alice, seq).await.unwrap().unwrap();
    assert_eq!((target.kind, target.role), (EntryKind::Text, Role::Owner));
    assert_eq!((&target.sender_id, target.deleted), (&bob, false));

    let delete = fixture.stored(aimed(group, &bob, EntryKind::Delete, seq)).await;
    let target = store.target(group, &bob, seq).await.unwrap().unwrap();
    assert_eq!((target.role, target.deleted), (Role::Member, true));
    let target = store.target(group, &bob, delete.seq).await.unwrap().unwrap();
    assert_eq!(target.kind, EntryKind::Delete);
    for nowhere in [Seq::ZERO, delete.seq.next(), Seq::MAX] {
        assert!(store.target(group, &bob, nowhere).await.unwrap().is_none());
    }
}

pub async fn what_was_written_is_read_at_once(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let id = fixture.direct(&alice, &bob).await;
    for _ in 0..50 {
        let seq = fixture.say(id, &alice, "text").await;
        let page = fixture.page(id, &bob, Range::Before(Seq::MAX), 1).await;
        assert_eq!(page.entries[0].seq, seq);
    }
}

pub async fn a_store_that_stands_answers_a_ping(fixture: &Fixture) {
    fixture.store.ping().await.unwrap();
}
