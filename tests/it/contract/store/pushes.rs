//! What deciding about pushes has to know, and what became of each.

use std::time::Duration;

use tidings::model::{
    ConversationId, ConversationKind, DeviceId, EntryKind, Notify, Platform, Seq, SessionId, Timestamp,
    UserId,
};
use tidings::store::{
    DoNotDisturb, Position, Preferences, ProfileChange, PushPreferences, PushTrace, Recipient, RecipientsOf,
    Registration, Relation, Ringable, Session,
};

use super::Fixture;
use super::fixture::{about, aimed};

async fn phone(fixture: &Fixture, user: &UserId, name: &str) {
    bound_phone(fixture, user, name, None).await;
}

async fn bound_phone(fixture: &Fixture, user: &UserId, name: &str, session_id: Option<SessionId>) {
    let registration = Registration {
        user_id: user.clone(),
        device_id: DeviceId::parse(name).unwrap(),
        platform: Platform::Fcm,
        token: format!("{name} of {user}"),
        app_id: "org.example.chat".to_owned(),
        environment: None,
        session_id,
        at: Timestamp::from_millis(1_000_000),
    };
    assert!(fixture.store.register_device(&registration).await.unwrap().is_some());
}

fn everybody(conversation_id: ConversationId) -> RecipientsOf {
    RecipientsOf { conversation_id, only: None }
}

async fn one(fixture: &Fixture, of: RecipientsOf) -> Ringable {
    let answer = fixture.store.recipients(&[of]).await.unwrap();
    answer.into_iter().next().flatten().expect("the conversation is there")
}

fn names(ringable: &Ringable) -> Vec<&UserId> {
    ringable.recipients.iter().map(|recipient| &recipient.user_id).collect()
}

async fn recipient(fixture: &Fixture, id: ConversationId, user: &UserId) -> Recipient {
    let only = RecipientsOf { conversation_id: id, only: Some(vec![user.clone()]) };
    one(fixture, only).await.recipients.remove(0)
}

pub async fn members_with_a_device_can_be_reached(fixture: &Fixture) {
    let [alice, bob, carol, eve] = fixture.users(["alice", "bob", "carol", "eve"]).await;
    let group = fixture.group(&alice, &[&bob, &carol]).await;
    phone(fixture, &bob, "phone").await;
    phone(fixture, &bob, "a-tablet").await;
    phone(fixture, &carol, "phone").await;
    phone(fixture, &eve, "phone").await;

    let ringable = one(fixture, everybody(group)).await;
    assert_eq!(ringable.kind, ConversationKind::Group);
    assert_eq!((ringable.title.as_deref(), ringable.member_count), (Some("Team"), 3));
    assert_eq!(names(&ringable), [&bob, &carol]);
    let devices: Vec<_> =
        ringable.recipients[0].devices.iter().map(|device| device.device_id.as_str()).collect();
    assert_eq!(devices, ["a-tablet", "phone"]);
    let device = &ringable.recipients[1].devices[0];
    assert_eq!((device.platform, device.token.clone()), (Platform::Fcm, format!("phone of {carol}")));
    assert_eq!(device.environment, None);
    assert_eq!(device.registered_at, Timestamp::from_millis(1_000_000));
}

pub async fn only_those_asked_for_come_and_in_the_order_of_the_conversations(fixture: &Fixture) {
    let [alice, bob, carol, eve] = fixture.users(["alice", "bob", "carol", "eve"]).await;
    let group = fixture.group(&alice, &[&bob, &carol]).await;
    let direct = fixture.direct(&alice, &bob).await;
    let quiet = fixture.group(&alice, &[]).await;
    for user in [&bob, &carol, &eve] {
        phone(fixture, user, "phone").await;
    }
    let asked = [
        everybody(direct),
        everybody(ConversationId::new()),
        RecipientsOf {
            conversation_id: group,
            only: Some(vec![carol.clone(), eve.clone(), alice.clone(), carol.clone()]),
        },
        everybody(quiet),
        RecipientsOf { conversation_id: group, only: Some(Vec::new()) },
        everybody(group),
    ];
    let answer = fixture.store.recipients(&asked).await.unwrap();
    let answer: Vec<_> = answer.iter().map(|one| one.as_ref().map(names)).collect();
    let expected = [
        Some(vec![&bob]),
        None,
        // Eve is no member, alice has no device, and carol, named twice, comes once.
        Some(vec![&carol]),
        Some(vec![]),
        Some(vec![]),
        Some(vec![&bob, &carol]),
    ];
    assert_eq!(answer, expected);
    assert_eq!(fixture.store.recipients(&[]).await.unwrap().len(), 0);
}

pub async fn who_left_signed_out_or_is_deactivated_is_not_reached(fixture: &Fixture) {
    let [alice, bob, carol, dave] = fixture.users(["alice", "bob", "carol", "dave"]).await;
    let group = fixture.group(&alice, &[&bob, &carol, &dave]).await;
    let session = Session {
        id: SessionId::new(),
        user_id: alice.clone(),
        expires_at: Timestamp::now().plus(Duration::from_secs(60)),
    };
    let store = &fixture.store;
    store.create_session(&session).await.unwrap();
    bound_phone(fixture, &alice, "phone", Some(session.id)).await;
    for user in [&bob, &carol, &dave] {
        phone(fixture, user, "phone").await;
    }
    assert_eq!(names(&one(fixture, everybody(group)).await), [&alice, &bob, &carol, &dave]);

    store.end_session(&alice, session.id).await.unwrap();
    assert_eq!(names(&one(fixture, everybody(group)).await), [&bob, &carol, &dave]);

    fixture.stored(about(group, &alice, EntryKind::MemberLeft, &[&bob], None)).await;
    assert_eq!(names(&one(fixture, everybody(group)).await), [&carol, &dave]);
    let only = RecipientsOf { conversation_id: group, only: Some(vec![bob.clone(), carol.clone()]) };
    assert_eq!(names(&one(fixture, only).await), [&carol]);

    // Who comes back registers anew.
    store.deactivate(&carol, Timestamp::now()).await.unwrap();
    assert_eq!(names(&one(fixture, everybody(group)).await), [&dave]);
    store.provision(&carol, &ProfileChange::default()).await.unwrap();
    assert_eq!(names(&one(fixture, everybody(group)).await), [&dave]);
    phone(fixture, &carol, "phone").await;
    assert_eq!(names(&one(fixture, everybody(group)).await), [&carol, &dave]);

    store.erase(&dave, Timestamp::now()).await.unwrap();
    store.provision(&dave, &ProfileChange::default()).await.unwrap();
    assert_eq!(names(&one(fixture, everybody(group)).await), [&carol]);
}

pub async fn a_dead_or_misfit_device_is_not_reached_until_registered_anew(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let direct = fixture.direct(&alice, &bob).await;
    phone(fixture, &bob, "phone").await;
    phone(fixture, &bob, "tablet").await;
    let (since, at) = (Timestamp::from_millis(1_000_000), Timestamp::now());
    let names = || async {
        let ringable = one(fixture, everybody(direct)).await;
        let devices = ringable.recipients.into_iter().flat_map(|recipient| recipient.devices);
        devices.map(|device| device.device_id.as_str().to_owned()).collect::<Vec<_>>()
    };
    let store = &fixture.store;
    store.disable_device(&bob, &DeviceId::parse("phone").unwrap(), since, at).await.unwrap();
    assert_eq!(names().await, ["tablet"]);
    store.quarantine_device(&bob, &DeviceId::parse("tablet").unwrap(), since, at).await.unwrap();
    assert_eq!(names().await, [""; 0]);
    phone(fixture, &bob, "phone").await;
    assert_eq!(names().await, ["phone"]);
}

pub async fn a_recipient_comes_with_positions_and_wishes(fixture: &Fixture) {
    let [alice, bob, carol] = fixture.users(["alice", "bob", "carol"]).await;
    let group = fixture.group(&alice, &[&bob]).await;
    for text in ["1", "2", "3"] {
        fixture.say(group, &alice, text).await;
    }
    fixture.stored(about(group, &alice, EntryKind::MemberJoined, &[&carol], None)).await;
    phone(fixture, &bob, "phone").await;
    phone(fixture, &carol, "phone").await;
    let position = Position {
        conversation_id: group,
        user_id: bob.clone(),
        read_seq: Seq::new(1),
        delivered_seq: Seq::new(3),
        seen_seq: Seq::new(2),
    };
    fixture.store.advance(&[position]).await.unwrap();

    let seen = recipient(fixture, group, &bob).await;
    assert_eq!((seen.first_seq.get(), seen.read_seq.get(), seen.seen_seq.get()), (1, 1, 2));
    assert_eq!((seen.notify, seen.muted_until), (Notify::All, None));
    assert_eq!(seen.preferences, PushPreferences::default());
    assert_eq!(recipient(fixture, group, &carol).await.first_seq.get(), 4);

    let until = Timestamp::from_millis(5_000_000);
    let wishes = Preferences { notify: Some(Notify::None), muted_until: Some(Some(until)) };
    fixture.store.set_preferences(group, &bob, &wishes).await.unwrap();
    let seen = recipient(fixture, group, &bob).await;
    assert_eq!((seen.notify, seen.muted_until), (Notify::None, Some(until)));

    // Sending to a direct conversation moves a position that is not the member's own.
    let direct = fixture.direct(&alice, &bob).await;
    fixture.say(direct, &alice, "hello").await;
    fixture.say(direct, &bob, "hello").await;
    let seen = recipient(fixture, direct, &bob).await;
    assert_eq!((seen.read_seq.get(), seen.seen_seq.get()), (2, 0));
}

pub async fn how_far_each_has_read_is_known_also_where_sending_moved_it(fixture: &Fixture) {
    let [alice, bob, eve] = fixture.users(["alice", "bob", "eve"]).await;
    let direct = fixture.direct(&alice, &bob).await;
    fixture.say(direct, &alice, "1").await;
    fixture.say(direct, &bob, "2").await;
    fixture.say(direct, &alice, "3").await;
    let of = [(direct, bob), (direct, eve), (ConversationId::new(), alice.clone()), (direct, alice)];
    let read = fixture.store.read_seqs(&of).await.unwrap();
    assert_eq!(read, [Some(Seq::new(2)), None, None, Some(Seq::new(3))]);
    assert_eq!(fixture.store.read_seqs(&[]).await.unwrap(), []);
}

pub async fn in_a_large_room_only_mentions_ring_and_few_have_a_device(fixture: &Fixture) {
    let [alice] = fixture.users(["alice"]).await;
    let crowd: Vec<UserId> = (0..150).map(|number| fixture.name(&format!("user-{number:03}"))).collect();
    let room = fixture.group(&alice, &crowd.iter().collect::<Vec<_>>()).await;
    for user in [&crowd[7], &crowd[99], &crowd[149]] {
        phone(fixture, user, "phone").await;
    }
    let ringable = one(fixture, everybody(room)).await;
    assert_eq!(names(&ringable), [&crowd[7], &crowd[99], &crowd[149]]);
    assert_eq!(ringable.member_count, 151);
    assert!(ringable.recipients.iter().all(|one| one.notify == Notify::Mentions));
}

pub async fn whom_a_recipient_blocked_is_known_also_after_they_left(fixture: &Fixture) {
    let [alice, bob, carol, eve] = fixture.users(["alice", "bob", "carol", "eve"]).await;
    let group = fixture.group(&alice, &[&bob, &carol]).await;
    phone(fixture, &bob, "phone").await;
    for blocked in [&eve, &carol, &alice] {
        fixture.store.add_relation(Relation::Block, &bob, blocked).await.unwrap();
    }
    // Eve never was here.
    assert_eq!(recipient(fixture, group, &bob).await.blocked, [alice.clone(), carol.clone()]);
    fixture.say(group, &carol, "my last word").await;
    fixture.stored(about(group, &carol, EntryKind::MemberLeft, &[&carol], None)).await;
    assert_eq!(recipient(fixture, group, &bob).await.blocked, [alice.clone(), carol]);
    fixture.store.remove_relation(Relation::Block, &bob, &alice).await.unwrap();
    assert_eq!(recipient(fixture, group, &bob).await.blocked.len(), 1);
}

pub async fn entries_come_as_they_stand_now(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let group = fixture.group(&alice, &[&bob]).await;
    let direct = fixture.direct(&alice, &bob).await;
    let edited = fixture.say(group, &alice, "before").await;
    let deleted = fixture.say(group, &alice, "regretted").await;
    let plain = fixture.say(direct, &bob, "as it was").await;
    fixture.stored(aimed(group, &alice, EntryKind::Edit, edited)).await;
    fixture.stored(aimed(group, &alice, EntryKind::Delete, deleted)).await;

    let asked = [
        (direct, plain),
        (group, deleted),
        (group, Seq::new(99)),
        (ConversationId::new(), Seq::new(1)),
        (group, edited),
        (group, edited),
        (group, Seq::ZERO),
    ];
    let entries = fixture.store.entries(&asked).await.unwrap();
    let texts: Vec<_> =
        entries.iter().map(|entry| entry.as_ref().map(|entry| entry.body.text.as_deref())).collect();
    let edited = Some(Some("edited"));
    assert_eq!(texts, [Some(Some("as it was")), Some(None), None, None, edited, edited, None]);
    assert!(entries[1].as_ref().unwrap().deleted_at.is_some());
    let first = entries[0].as_ref().unwrap();
    assert_eq!((first.conversation_id, first.seq, &first.sender_id), (direct, plain, &bob));
}

pub async fn wishes_for_all_phones_are_kept_and_cleared(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let store = &fixture.store;
    assert_eq!(store.push_preferences(&alice).await.unwrap(), Some(PushPreferences::default()));
    assert_eq!(store.push_preferences(&fixture.name("nobody")).await.unwrap(), None);
    let wished = PushPreferences {
        do_not_disturb: Some(DoNotDisturb {
            from_minute: 22 * 60,
            until_minute: 1439,
            time_zone: "Europe/Berlin".to_owned(),
        }),
        hold_until_unread: Some(Duration::from_millis(30_500)),
    };
    assert!(store.set_push_preferences(&alice, &wished).await.unwrap());
    assert!(!store.set_push_preferences(&fixture.name("nobody"), &wished).await.unwrap());
    assert_eq!(store.push_preferences(&alice).await.unwrap(), Some(wished.clone()));
    assert_eq!(store.push_preferences(&bob).await.unwrap(), Some(PushPreferences::default()));

    let direct = fixture.direct(&alice, &bob).await;
    phone(fixture, &alice, "phone").await;
    assert_eq!(recipient(fixture, direct, &alice).await.preferences, wished);
    assert!(store.set_push_preferences(&alice, &PushPreferences::default()).await.unwrap());
    assert_eq!(recipient(fixture, direct, &alice).await.preferences, PushPreferences::default());
}

fn trace(id: ConversationId, user: &UserId, device: &str, decision: &str, at: i64) -> PushTrace {
    PushTrace {
        conversation_id: id,
        seq: Seq::new(1),
        user_id: user.clone(),
        device_id: DeviceId::parse(device).unwrap(),
        decision: decision.to_owned(),
        decided_at: Timestamp::from_millis(at),
        provider: None,
        attempts: 0,
        answered_at: None,
        status: None,
        answer: None,
    }
}

pub async fn the_last_word_about_a_push_stands(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let (id, store) = (ConversationId::new(), &fixture.store);
    store.trace_pushes(&[]).await.unwrap();
    let waiting = trace(id, &alice, "phone", "waiting", 1_000);
    let sent = PushTrace {
        decision: "sent".to_owned(),
        decided_at: Timestamp::from_millis(2_000),
        provider: Some("apns".to_owned()),
        attempts: 2,
        answered_at: Some(Timestamp::from_millis(2_500)),
        status: Some(503),
        answer: Some("{\"reason\":\"Shutdown\"}".to_owned()),
        ..waiting.clone()
    };
    let muted = trace(id, &alice, "a-tablet", "muted", 1_000);
    let of_bob = trace(id, &bob, "phone", "read", 1_000);
    let elsewhere = PushTrace { seq: Seq::new(2), ..waiting.clone() };
    // Twice in one call, and again in another.
    let first = [waiting.clone(), of_bob.clone(), waiting.clone(), muted.clone(), elsewhere.clone()];
    store.trace_pushes(&first).await.unwrap();
    store.trace_pushes(&[waiting, sent.clone()]).await.unwrap();
    assert_eq!(store.pushes_of(id, Seq::new(1)).await.unwrap(), [muted, sent, of_bob]);
    assert_eq!(store.pushes_of(id, Seq::new(2)).await.unwrap(), [elsewhere]);
    assert_eq!(store.pushes_of(ConversationId::new(), Seq::new(1)).await.unwrap(), []);
}

pub async fn a_provider_may_answer_with_any_character(fixture: &Fixture) {
    let [alice] = fixture.users(["alice"]).await;
    let id = ConversationId::new();
    let odd = PushTrace {
        answer: Some("\u{0}gone\u{0} \u{1F480}".to_owned()),
        ..trace(id, &alice, "phone", "sent", 1)
    };
    fixture.store.trace_pushes(&[odd]).await.unwrap();
    let kept = fixture.store.pushes_of(id, Seq::new(1)).await.unwrap().remove(0);
    assert_eq!(kept.answer.unwrap().replace('\0', ""), "gone \u{1F480}");
}

pub async fn old_traces_go_the_oldest_first(fixture: &Fixture) {
    let [alice] = fixture.users(["alice"]).await;
    let id = ConversationId::new();
    // Before all that other tests in the same database write.
    let traces: Vec<PushTrace> =
        (1..=5).map(|n| trace(id, &alice, &format!("phone-{n}"), "sent", -1_000 * (6 - n))).collect();
    let store = &fixture.store;
    store.trace_pushes(&traces).await.unwrap();
    let before = Timestamp::from_millis(-1_000);
    assert_eq!(store.forget_pushes(before, 3).await.unwrap(), 3);
    assert_eq!(store.pushes_of(id, Seq::new(1)).await.unwrap(), traces[3..]);
    assert_eq!(store.forget_pushes(before, 3).await.unwrap(), 1);
    assert_eq!(store.forget_pushes(before, 3).await.unwrap(), 0);
    assert_eq!(store.pushes_of(id, Seq::new(1)).await.unwrap(), traces[4..]);
}
