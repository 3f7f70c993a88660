//! Every kind of broken promise is planted here once and has to be found, and nothing else with it.

use super::*;

const GROUP: Uuid = Uuid::from_u128(0xc0);

struct World {
    checker: Checker,
    users: Vec<UserKey>,
    conversation: ConversationKey,
    readers: Vec<ReaderKey>,
}

fn world() -> World {
    let mut checker = Checker::new(Tag::new(7, 0));
    let users = vec![checker.user("ann"), checker.user("ben")];
    let conversation = checker.conversation(Some(GROUP));
    let readers = vec![checker.reader(conversation, 1), checker.reader(conversation, 1)];
    World { checker, users, conversation, readers }
}

impl World {
    fn send(&mut self, outcome: Outcome) -> Uuid {
        let id = self.checker.sent(self.users[0], Socket(1), self.conversation, 1_000_000);
        self.checker.answered(id, outcome, None);
        id
    }

    fn deliver(&mut self, reader: usize, seq: u32, client_id: Uuid) -> Seen {
        self.checker.received(self.readers[reader], &entry(seq, client_id), Path::Live)
    }

    fn deliver_all(&mut self, seq: u32, client_id: Uuid) {
        self.deliver(0, seq, client_id);
        self.deliver(1, seq, client_id);
    }

    fn store(&mut self, log: &[(u32, Uuid)]) {
        let entries: Vec<Entry> = log.iter().map(|(seq, id)| entry(*seq, *id)).collect();
        self.checker.stored(self.conversation, entries);
    }

    fn finish(self) -> Verdict {
        self.checker.finish()
    }
}

/// The server's id of an entry is derived from its client id, as if stored once.
fn entry(seq: u32, client_id: Uuid) -> Entry<'static> {
    Entry {
        conversation_id: GROUP,
        seq,
        id: Uuid::from_u128(client_id.as_u128() ^ 1),
        client_id: Some(client_id),
        sender_id: "ann",
        is_text: true,
    }
}

fn only(fault: Fault, count: u64, verdict: &Verdict) {
    for kind in Fault::ALL {
        let expected = if kind == fault { count } else { 0 };
        assert_eq!(verdict.counts.of(kind), expected, "{kind:?} in {verdict:?}");
    }
}

#[test]
fn a_sound_run_has_no_fault_whatever_came_twice_or_late() {
    let mut world = world();
    let ids: Vec<Uuid> = (0..4).map(|_| world.send(Outcome::Accepted)).collect();
    let refused = world.send(Outcome::Refused);
    world.deliver_all(1, ids[0]);
    assert_eq!(world.deliver(0, 3, ids[2]), Seen::New { gap: true });
    assert_eq!(world.deliver(0, 3, ids[2]), Seen::Again);
    assert_eq!(world.deliver(0, 2, ids[1]), Seen::New { gap: false });
    assert_eq!(world.deliver(1, 2, ids[1]), Seen::New { gap: false });
    world.deliver(1, 3, ids[2]);
    world.deliver_all(4, ids[3]);
    world.store(&[(1, ids[0]), (2, ids[1]), (3, ids[2]), (4, ids[3])]);
    assert_ne!(refused, ids[0]);
    let verdict = world.finish();
    assert!(verdict.counts.is_clean(), "{verdict:?}");
    assert_eq!((verdict.accepted, verdict.refused, verdict.repeats), (4, 1, 1));
}

#[test]
fn an_ack_before_the_confirm_is_found_as_lost() {
    let mut world = world();
    let kept = world.send(Outcome::Accepted);
    world.send(Outcome::Accepted);
    world.deliver_all(1, kept);
    world.store(&[(1, kept)]);
    only(Fault::Lost, 1, &world.finish());
}

#[test]
fn a_dropped_insert_is_found_though_it_was_delivered() {
    let mut world = world();
    let ids = [world.send(Outcome::Accepted), world.send(Outcome::Accepted)];
    world.deliver_all(1, ids[0]);
    world.deliver_all(2, ids[1]);
    world.store(&[(1, ids[0])]);
    let verdict = world.finish();
    assert_eq!(verdict.counts.lost, 1, "{verdict:?}");
    assert_eq!(verdict.counts.divergence, 1, "{verdict:?}");
}

#[test]
fn without_a_store_an_accepted_message_that_nobody_got_is_lost() {
    let mut world = world();
    world.send(Outcome::Accepted);
    only(Fault::Lost, 1, &world.finish());
}

#[test]
fn no_dedupe_is_found_as_a_duplicate() {
    let mut world = world();
    let id = world.send(Outcome::Accepted);
    world.deliver_all(1, id);
    world.deliver_all(2, id);
    world.store(&[(1, id), (2, id)]);
    // Live once and in the store once: both see the same second row.
    let verdict = world.finish();
    assert!(verdict.counts.duplicate >= 1, "{verdict:?}");
    assert_eq!(verdict.counts.lost + verdict.counts.gap + verdict.counts.phantom, 0);
}

#[test]
fn a_duplicate_that_only_the_store_has_is_found() {
    let mut world = world();
    let id = world.send(Outcome::Accepted);
    world.deliver_all(1, id);
    world.store(&[(1, id), (2, id)]);
    let verdict = world.finish();
    assert_eq!(verdict.counts.duplicate, 1, "{verdict:?}");
}

#[test]
fn a_sequence_instead_of_the_locked_row_is_found_as_a_gap() {
    let mut world = world();
    let ids = [world.send(Outcome::Accepted), world.send(Outcome::Accepted)];
    world.store(&[(1, ids[0]), (4, ids[1])]);
    let verdict = world.finish();
    assert_eq!(verdict.counts.gap, 2, "{verdict:?}");
}

#[test]
fn two_readers_with_different_entries_under_a_seq_diverge() {
    let mut world = world();
    let ids = [world.send(Outcome::Accepted), world.send(Outcome::Accepted)];
    world.deliver(0, 1, ids[0]);
    assert_eq!(world.deliver(1, 1, ids[1]), Seen::Wrong);
    let verdict = world.finish();
    assert_eq!(verdict.counts.divergence, 1, "{verdict:?}");
}

#[test]
fn a_store_that_differs_from_what_was_delivered_diverges() {
    let mut world = world();
    let id = world.send(Outcome::Accepted);
    world.deliver_all(1, id);
    let mut other = entry(1, id);
    other.id = Uuid::from_u128(99);
    world.checker.stored(world.conversation, [other]);
    let verdict = world.finish();
    assert_eq!(verdict.counts.divergence, 1, "{verdict:?}");
}

#[test]
fn messages_of_one_socket_in_another_order_are_found() {
    let mut world = world();
    let ids = [world.send(Outcome::Accepted), world.send(Outcome::Accepted)];
    world.deliver_all(1, ids[1]);
    world.deliver_all(2, ids[0]);
    world.store(&[(1, ids[1]), (2, ids[0])]);
    only(Fault::Reorder, 1, &world.finish());
}

#[test]
fn a_message_that_was_sent_again_on_another_socket_may_change_its_place() {
    let mut world = world();
    let ids = [world.send(Outcome::Accepted), world.send(Outcome::Accepted)];
    world.checker.sent_again(ids[0]);
    world.deliver_all(1, ids[1]);
    world.deliver_all(2, ids[0]);
    world.store(&[(1, ids[1]), (2, ids[0])]);
    assert!(world.finish().counts.is_clean());
}

#[test]
fn what_nobody_sent_what_was_refused_and_what_another_signed_are_phantoms() {
    let mut world = world();
    let refused = world.send(Outcome::Refused);
    let forged = world.send(Outcome::Accepted);
    world.deliver(0, 1, Uuid::from_u128(5));
    world.deliver(0, 2, refused);
    let mut stolen = entry(3, forged);
    stolen.sender_id = "ben";
    world.checker.received(world.readers[0], &stolen, Path::Live);
    world.checker.gave_up(world.readers[0]);
    world.checker.gave_up(world.readers[1]);
    only(Fault::Phantom, 3, &world.finish());
}

#[test]
fn a_message_in_a_conversation_that_it_was_not_sent_to_is_a_phantom() {
    let mut world = world();
    let id = world.send(Outcome::Accepted);
    let other = world.checker.conversation(Some(Uuid::from_u128(77)));
    let reader = world.checker.reader(other, 1);
    let mut astray = entry(1, id);
    astray.conversation_id = Uuid::from_u128(77);
    assert_eq!(world.checker.received(reader, &astray, Path::Live), Seen::Wrong);
    let verdict = world.finish();
    assert_eq!(verdict.counts.phantom, 1, "{verdict:?}");
}

#[test]
fn an_unknown_send_may_appear_once_or_never_but_not_twice() {
    let mut world = world();
    let once = world.send(Outcome::Unknown);
    world.send(Outcome::Unknown);
    world.deliver_all(1, once);
    world.store(&[(1, once)]);
    assert!(world.finish().counts.is_clean());
}

#[test]
fn an_entry_above_ones_own_leaving_or_below_ones_joining_leaks() {
    let mut world = world();
    let ids: Vec<Uuid> = (0..3).map(|_| world.send(Outcome::Accepted)).collect();
    world.deliver_all(1, ids[0]);
    world.checker.left(world.readers[1], 1);
    assert_eq!(world.deliver(1, 2, ids[1]), Seen::Wrong);
    let late = world.checker.reader(world.conversation, 3);
    world.checker.received(late, &entry(2, ids[1]), Path::Live);
    world.checker.received(late, &entry(3, ids[2]), Path::Live);
    world.deliver(0, 2, ids[1]);
    world.deliver(0, 3, ids[2]);
    world.store(&[(1, ids[0]), (2, ids[1]), (3, ids[2])]);
    only(Fault::Leak, 2, &world.finish());
}

#[test]
fn an_entry_that_one_reader_never_got_is_stuck() {
    let mut world = world();
    let ids = [world.send(Outcome::Accepted), world.send(Outcome::Accepted)];
    world.deliver_all(1, ids[0]);
    world.deliver(0, 2, ids[1]);
    world.store(&[(1, ids[0]), (2, ids[1])]);
    assert!(!world.checker.is_complete(world.readers[1]));
    only(Fault::Stuck, 1, &world.finish());
}

#[test]
fn an_accepted_message_is_waited_for_until_one_reader_saw_it() {
    let mut world = world();
    let id = world.send(Outcome::Accepted);
    world.send(Outcome::Unknown);
    assert_eq!((world.checker.unanswered(), world.checker.unseen()), (0, 1));
    world.deliver(0, 1, id);
    assert_eq!(world.checker.unseen(), 0);
}

#[test]
fn an_accepted_message_whose_sender_lost_the_right_is_not_lost() {
    let mut world = world();
    let id = world.send(Outcome::Accepted);
    let code = Outcome::of_error(b"forbidden");
    world.checker.answered(id, code, None);
    world.store(&[]);
    let verdict = world.finish();
    assert!(verdict.counts.is_clean(), "{verdict:?}");
    assert_eq!(verdict.refused, 1);
}

#[test]
fn an_answer_to_a_send_that_never_was_is_a_phantom() {
    let mut world = world();
    world.checker.answered(Uuid::from_u128(3), Outcome::Accepted, None);
    only(Fault::Phantom, 1, &world.finish());
}
