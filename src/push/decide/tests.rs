//! Every row of the rules.

use super::*;
use crate::model::{Body, ConversationId, EntryKind, MessageId};
use crate::store::{DoNotDisturb, PushPreferences};

const NOW: i64 = 1_768_478_400_000; // 2026-01-15T12:00:00Z

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn device(name: &str) -> DeviceId {
    DeviceId::parse(name).unwrap()
}

fn notice() -> Notice {
    Notice {
        conversation_id: ConversationId::from_uuid(uuid::Uuid::from_u128(1)),
        seq: Seq::new(10),
        id: MessageId::new(),
        sender_id: user("ann"),
        peer: None,
        stored_ms: NOW,
        push: None,
    }
}

fn entry() -> Entry {
    let notice = notice();
    Entry {
        conversation_id: notice.conversation_id,
        seq: notice.seq,
        id: notice.id,
        kind: EntryKind::Text,
        sender_id: notice.sender_id,
        client_id: None,
        body: Body { text: Some("hi".to_owned()), ..Body::default() },
        created_at: Timestamp::from_millis(NOW),
        edited_at: None,
        deleted_at: None,
        reactions: Vec::new(),
    }
}

fn recipient() -> Recipient {
    Recipient {
        user_id: user("bob"),
        notify: Notify::All,
        muted_until: None,
        first_seq: Seq::new(1),
        read_seq: Seq::new(9),
        seen_seq: Seq::new(9),
        blocked: Vec::new(),
        preferences: PushPreferences::default(),
        devices: Vec::new(),
    }
}

fn ack(device_id: Option<&str>, seq: i64, foreground: bool) -> Acknowledgement {
    Acknowledgement {
        user_id: user("bob"),
        device_id: device_id.map(device),
        conversation_id: notice().conversation_id,
        seq: Seq::new(seq),
        foreground,
    }
}

/// The judgement of a group's message after a change of what is known.
fn judged(change: impl FnOnce(&mut Entry, &mut Recipient)) -> Result<(), Silence> {
    let (mut entry, mut recipient) = (entry(), recipient());
    change(&mut entry, &mut recipient);
    let facts = Facts {
        notice: &notice(),
        kind: ConversationKind::Group,
        entry: Some(&entry),
        recipient: &recipient,
        acknowledged: &[],
        now: Timestamp::from_millis(NOW + 1000),
    };
    facts.judge(Duration::from_secs(3600))
}

#[test]
fn a_message_rings_unless_something_speaks_against_it() {
    let later = Timestamp::from_millis(NOW + 60_000);
    assert_eq!(judged(|_, _| ()), Ok(()));
    assert_eq!(judged(|entry, _| entry.deleted_at = Some(later)), Err(Silence::Deleted));
    assert_eq!(judged(|_, bob| bob.first_seq = Seq::new(11)), Err(Silence::Deleted));
    assert_eq!(judged(|_, bob| bob.blocked = vec![user("ann")]), Err(Silence::Blocked));
    assert_eq!(judged(|_, bob| bob.read_seq = Seq::new(10)), Err(Silence::Read));
    assert_eq!(judged(|_, bob| bob.muted_until = Some(later)), Err(Silence::Muted));
    assert_eq!(judged(|_, bob| bob.muted_until = Some(Timestamp::from_millis(NOW))), Ok(()));
    assert_eq!(judged(|_, bob| bob.notify = Notify::None), Err(Silence::Muted));
    let noon = DoNotDisturb { from_minute: 720, until_minute: 780, time_zone: "UTC".to_owned() };
    assert_eq!(judged(|_, bob| bob.preferences.do_not_disturb = Some(noon)), Err(Silence::Muted));
}

#[test]
fn a_message_that_is_gone_or_too_old_does_not_ring() {
    let (notice, entry, recipient) = (notice(), entry(), recipient());
    let now = Timestamp::from_millis(NOW + 5000);
    let facts = Facts {
        notice: &notice,
        kind: ConversationKind::Group,
        entry: None,
        recipient: &recipient,
        acknowledged: &[],
        now,
    };
    assert_eq!(facts.judge(Duration::from_secs(60)), Err(Silence::Deleted));
    let facts = Facts { entry: Some(&entry), ..facts };
    assert_eq!(facts.judge(Duration::from_secs(5)), Err(Silence::Expired));
    assert_eq!(facts.judge(Duration::from_secs(6)), Ok(()));
}

#[test]
fn who_wants_mentions_only_hears_of_mentions_and_direct_messages() {
    assert_eq!(judged(|_, bob| bob.notify = Notify::Mentions), Err(Silence::Muted));
    let mentioned = judged(|entry, bob| {
        bob.notify = Notify::Mentions;
        entry.body.mentions = vec![user("bob")];
    });
    assert_eq!(mentioned, Ok(()));
    let (notice, entry) = (notice(), entry());
    let recipient = Recipient { notify: Notify::Mentions, ..recipient() };
    let facts = Facts {
        notice: &notice,
        kind: ConversationKind::Direct,
        entry: Some(&entry),
        recipient: &recipient,
        acknowledged: &[],
        now: Timestamp::from_millis(NOW),
    };
    assert_eq!(facts.judge(Duration::from_secs(60)), Ok(()));
}

#[test]
fn a_device_is_reached_by_itself_or_by_another_that_somebody_looked_at() {
    let (phone, seq, none) = (device("phone"), Seq::new(10), Seq::ZERO);
    let reached = |known: &[Acknowledgement]| reaches(known, none, &phone, seq);
    assert!(!reached(&[]));
    assert!(reached(&[ack(Some("phone"), 10, false)]));
    assert!(!reached(&[ack(Some("phone"), 9, true)]));
    assert!(reached(&[ack(Some("desktop"), 11, true)]));
    assert!(reached(&[ack(None, 10, true)]));
    // An idle desktop silences nobody.
    assert!(!reached(&[ack(Some("desktop"), 11, false), ack(None, 11, false)]));
    assert!(reached_everywhere(&[ack(None, 10, true)], seq));
    assert!(!reached_everywhere(&[ack(Some("phone"), 10, false)], seq));
}

#[test]
fn what_somebody_saw_is_known_to_the_store_when_everybody_else_forgot_it() {
    let (phone, seq) = (device("phone"), Seq::new(10));
    assert!(reaches(&[], Seq::new(10), &phone, seq));
    assert!(reaches(&[ack(Some("desktop"), 10, false)], Seq::new(10), &phone, seq));
    assert!(!reaches(&[ack(Some("desktop"), 10, false)], Seq::new(9), &phone, seq));
}

#[test]
fn only_who_has_an_open_eye_is_waited_for() {
    let secs = Duration::from_secs;
    let rules = Patience { ack_deadline: secs(10), hold_until_unread: secs(0), expiry: secs(3600) };
    assert_eq!(patience(Attention::Away, None, &rules), secs(0));
    assert_eq!(patience(Attention::Idle, Some(&recipient()), &rules), secs(0));
    assert_eq!(patience(Attention::Active, Some(&recipient()), &rules), secs(10));
    let preferences = PushPreferences { hold_until_unread: Some(secs(30)), ..PushPreferences::default() };
    let holding = Recipient { preferences, ..recipient() };
    assert_eq!(patience(Attention::Away, Some(&holding), &rules), secs(30));
    assert_eq!(patience(Attention::Active, Some(&holding), &rules), secs(30));
    let rules = Patience { hold_until_unread: secs(20), ..rules };
    assert_eq!(patience(Attention::Away, Some(&recipient()), &rules), secs(20));
}

#[test]
fn a_summary_tells_only_of_what_is_still_new() {
    let seqs = [8, 9, 10, 11].map(Seq::new);
    let new = still_new(&recipient(), &[ack(Some("phone"), 10, false)], &device("phone"), &seqs);
    assert_eq!(new, [Seq::new(11)]);
    assert!(concerns(&notice(), &user("bob")) && !concerns(&notice(), &user("ann")));
}
