//! How far members have read and received.

use tidings::model::{ConversationId, DeviceId, EntryKind, Platform, Seq, Timestamp, UserId};
use tidings::store::{Advanced, Position, RecipientsOf, Registration};

use super::Fixture;
use super::fixture::{about, aimed};

fn position(id: ConversationId, user: &UserId, read: i64, delivered: i64) -> Position {
    Position {
        conversation_id: id,
        user_id: user.clone(),
        read_seq: Seq::new(read),
        delivered_seq: Seq::new(delivered),
        seen_seq: Seq::ZERO,
    }
}

fn advanced(id: ConversationId, user: &UserId, read: Option<i64>, delivered: Option<i64>) -> Advanced {
    Advanced {
        conversation_id: id,
        user_id: user.clone(),
        read_seq: read.map(Seq::new),
        delivered_seq: delivered.map(Seq::new),
    }
}

pub async fn positions_move_forward_within_the_log_and_never_back(fixture: &Fixture) {
    let [alice, bob, eve] = fixture.users(["alice", "bob", "eve"]).await;
    let group = fixture.group(&alice, &[&bob]).await;
    for text in ["1", "2", "3", "4"] {
        fixture.say(group, &alice, text).await;
    }
    let direct = fixture.direct(&alice, &bob).await;
    for text in ["1", "2", "3", "4"] {
        fixture.say(direct, &alice, text).await;
    }
    for id in [group, direct] {
        let none = Vec::new;
        let moved = |read, delivered| vec![advanced(id, &bob, read, delivered)];
        let steps = [
            ((0, 2), moved(None, Some(2))),
            ((0, 2), none()),
            ((1, 0), moved(Some(1), None)),
            ((3, 0), moved(Some(3), Some(3))),
            ((2, 1), none()),
            ((0, 0), none()),
            ((99, 99), moved(Some(4), Some(4))),
        ];
        for ((read, delivered), expected) in steps {
            let asked = [position(id, &bob, read, delivered), position(id, &eve, 4, 4)];
            let answer = fixture.store.advance(&asked).await.unwrap();
            assert_eq!(answer, expected, "read {read}, delivered {delivered}");
        }
        let seen = fixture.seen_by(id, &bob).await;
        assert_eq!((seen.read_seq.get(), seen.unread), (4, 0));
    }
}

pub async fn what_was_seen_moves_on_its_own_and_nobody_is_told(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let direct = fixture.direct(&alice, &bob).await;
    fixture.say(direct, &alice, "1").await;
    fixture.say(direct, &alice, "2").await;
    let seen = |seq| Position { seen_seq: Seq::new(seq), ..position(direct, &bob, 0, 2) };
    assert_eq!(fixture.store.advance(&[seen(0)]).await.unwrap(), [advanced(direct, &bob, None, Some(2))]);
    assert_eq!(fixture.store.advance(&[seen(2), seen(1)]).await.unwrap(), []);
    let phone = Registration {
        user_id: bob.clone(),
        device_id: DeviceId::parse("phone").unwrap(),
        platform: Platform::Fcm,
        token: format!("phone of {bob}"),
        app_id: String::new(),
        environment: None,
        session_id: None,
        at: Timestamp::now(),
    };
    fixture.store.register_device(&phone).await.unwrap();
    let asked = [RecipientsOf { conversation_id: direct, only: None }];
    let seen_seq = async || {
        let ringable = fixture.store.recipients(&asked).await.unwrap().remove(0).unwrap();
        ringable.recipients[0].seen_seq.get()
    };
    assert_eq!(seen_seq().await, 2);
    // Never back, and never past the end.
    fixture.store.advance(&[seen(1), seen(99)]).await.unwrap();
    assert_eq!(seen_seq().await, 2);
}

pub async fn who_sent_has_read_and_moves_only_beyond(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let group = fixture.group(&alice, &[&bob]).await;
    for id in [group, fixture.direct(&alice, &bob).await] {
        for sender in [&alice, &bob, &alice] {
            fixture.say(id, sender, "text").await;
        }
        let store = &fixture.store;
        let answer = store.advance(&[position(id, &bob, 2, 2)]).await.unwrap();
        assert_eq!(answer, []);
        let answer = store.advance(&[position(id, &bob, 0, 3)]).await.unwrap();
        assert_eq!(answer, [advanced(id, &bob, None, Some(3))]);
        assert_eq!(fixture.seen_by(id, &bob).await.unread, 1);
    }
}

pub async fn many_positions_move_at_once(fixture: &Fixture) {
    let [alice, bob, carol] = fixture.users(["alice", "bob", "carol"]).await;
    let group = fixture.group(&alice, &[&bob, &carol]).await;
    let direct = fixture.direct(&alice, &carol).await;
    for id in [group, direct] {
        fixture.say(id, &alice, "1").await;
        fixture.say(id, &alice, "2").await;
    }
    let asked = [
        position(group, &bob, 1, 0),
        position(direct, &carol, 0, 2),
        position(group, &carol, 1, 2),
        // The same member again, further.
        position(group, &bob, 2, 0),
        position(ConversationId::new(), &bob, 1, 1),
    ];
    let mut answer = fixture.store.advance(&asked).await.unwrap();
    answer.sort_by_key(|one| (one.user_id.clone(), one.read_seq));
    assert_eq!(
        answer,
        [
            advanced(group, &bob, Some(2), Some(2)),
            advanced(direct, &carol, None, Some(2)),
            advanced(group, &carol, Some(1), Some(2)),
        ]
    );
}

pub async fn unread_counts_texts_alone_and_the_badge_sums_it_up(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let group = fixture.group(&alice, &[&bob]).await;
    let direct = fixture.direct(&alice, &bob).await;
    let first = fixture.say(group, &alice, "1").await;
    fixture.stored(aimed(group, &alice, EntryKind::Edit, first)).await;
    fixture.stored(aimed(group, &alice, EntryKind::Reaction, first)).await;
    let carol = fixture.name("carol");
    let mut joined = about(group, &alice, EntryKind::MemberJoined, &[&carol], None);
    joined.provision = true;
    fixture.stored(joined).await;
    fixture.say(group, &alice, "2").await;
    fixture.say(group, &alice, "3").await;
    fixture.say(direct, &alice, "4").await;
    let users = [bob.clone(), alice, fixture.name("nobody"), carol];
    let badges = || async { fixture.store.badges(&users).await.unwrap() };
    assert_eq!(badges().await, [4, 0, 0, 2]);

    // Up to the joining: the first text only.
    let read = [position(group, &bob, 4, 0)];
    fixture.store.advance(&read).await.unwrap();
    assert_eq!(badges().await, [3, 0, 0, 2]);
    let read = [position(group, &bob, 5, 0), position(direct, &bob, 1, 0)];
    fixture.store.advance(&read).await.unwrap();
    assert_eq!(badges().await, [1, 0, 0, 2]);
    assert_eq!(fixture.seen_by(group, &bob).await.unread, 1);
}
