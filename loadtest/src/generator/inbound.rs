//! Takes the frames that a client received.

use std::collections::HashMap;
use std::sync::MutexGuard;
use std::sync::atomic::Ordering;

use uuid::Uuid;

use crate::checker::{Checker, Entry, Outcome, Path, ReaderKey, Seen};
use crate::client_id::Mark;
use crate::scan::Wire;
use crate::stats::Tally;
use crate::ws::Opcode;
use crate::ws::frame::FrameError;

use super::resumed;
use super::session::Session;
use super::worker::Window;
use super::{Shared, lock, outbound};

/// Everything that taking frames touches, locked once for all frames of a read.
pub struct Desk<'a> {
    pub shared: &'a Shared,
    pub checker: MutexGuard<'a, Checker>,
    pub tally: MutexGuard<'a, Tally>,
    pub now_us: u64,
    pub window: Window,
}

/// Takes the bytes of one read and queues what has to be answered.
pub fn take(session: &mut Session, desk: &mut Desk<'_>, bytes: &mut [u8]) -> Result<(), FrameError> {
    desk.tally.totals.bytes_in += bytes.len() as u64;
    // Taken out so that the frames it lends and the session can be used at once.
    let mut inbox = std::mem::take(&mut session.inbox);
    let result = inbox.feed(bytes, |opcode, payload| {
        desk.tally.totals.frames_in += 1;
        match opcode {
            Opcode::Text => take_text(session, desk, payload),
            Opcode::Ping => outbound::pong(&mut session.outbox, payload),
            Opcode::Close => {
                let code = payload.first_chunk::<2>().map(|code| u16::from_be_bytes(*code));
                session.close_code = Some(code.unwrap_or(1005));
            }
            _ => {}
        }
    });
    session.inbox = inbox;
    acknowledge(session, desk);
    result
}

/// How a `sync` begins. It is long and parsed properly anyway, so it is not scanned before.
const SYNC: &[u8] = br#"{"type":"sync","#;

fn take_text(session: &mut Session, desk: &mut Desk<'_>, payload: &[u8]) {
    if payload.starts_with(SYNC) {
        take_sync(session, desk, payload);
        return;
    }
    let parsed;
    let wire = match Wire::scan(payload) {
        Some(wire) => wire,
        None => match resumed::Loose::parse(payload) {
            Some(loose) => {
                parsed = loose;
                parsed.wire()
            }
            None => {
                *desk.tally.totals.errors.entry("unreadable frame".into()).or_default() += 1;
                return;
            }
        },
    };
    match wire.kind_of_frame {
        b"message" => take_message(session, desk, &wire),
        b"accepted" => take_accepted(session, desk, &wire),
        b"receipt" => desk.tally.totals.receipts += 1,
        b"presence" => take_presence(desk, &wire),
        b"sync" => take_sync(session, desk, payload),
        b"history" => resumed::take_history(session, desk, payload),
        b"resync" => {
            desk.tally.totals.resyncs += 1;
            outbound::sync(session, desk.shared, &desk.checker);
        }
        b"reconnect" => {
            let after_us = u64::from(wire.after_ms.unwrap_or(0)) * 1000;
            session.back_at_us = Some(desk.now_us + after_us);
        }
        b"error" => take_error(session, desk, &wire),
        _ => {}
    }
}

fn take_sync(session: &mut Session, desk: &mut Desk<'_>, payload: &[u8]) {
    if resumed::take_sync(session, desk, payload) && !session.ready {
        logged_in(session, desk);
    }
}

fn take_message(session: &mut Session, desk: &mut Desk<'_>, wire: &Wire<'_>) {
    let (Some(conversation_id), Some(seq), Some(id)) = (wire.conversation_id, wire.seq, wire.id) else {
        *desk.tally.totals.errors.entry("message without its fields".into()).or_default() += 1;
        return;
    };
    let Some((place, reader)) = find_reader(session, desk, conversation_id) else {
        *desk.tally.totals.errors.entry("message of a strange conversation".into()).or_default() += 1;
        return;
    };
    let entry = Entry {
        conversation_id,
        seq,
        id,
        client_id: wire.client_id,
        sender_id: std::str::from_utf8(wire.sender_id).unwrap_or_default(),
        is_text: wire.kind == b"text",
    };
    let Seen::New { gap } = desk.checker.received(reader, &entry, Path::Live) else {
        return;
    };
    if gap {
        session.gapped = true;
    } else if desk.shared.scenario.receipts.ack && !session.to_acknowledge.contains(&place) {
        session.to_acknowledge.push(place);
    }
    let Some(mark) = wire.client_id.and_then(Mark::decode) else {
        return;
    };
    if wire.sender_id == desk.shared.plan.users[session.user as usize].as_bytes() {
        desk.tally.totals.echoes += 1;
        return;
    }
    desk.tally.totals.delivered += 1;
    if session.measured && desk.window.measures(mark.at_us) {
        desk.tally.delivered.record(desk.now_us.saturating_sub(mark.at_us));
        complete(desk, &mark);
    }
}

/// Notes when a message of a group has reached its last member.
fn complete(desk: &mut Desk<'_>, mark: &Mark) {
    if desk.shared.is_direct {
        return;
    }
    let mut incomplete: MutexGuard<'_, HashMap<u32, u32>> = lock(&desk.shared.incomplete);
    if let Some(left) = incomplete.get_mut(&mark.index) {
        *left = left.saturating_sub(1);
        if *left == 0 {
            incomplete.remove(&mark.index);
            desk.tally.complete.record(desk.now_us.saturating_sub(mark.at_us));
        }
    }
}

fn take_accepted(session: &mut Session, desk: &mut Desk<'_>, wire: &Wire<'_>) {
    let Some(client_id) = wire.client_id else {
        return;
    };
    session.answered(client_id);
    desk.checker.answered(client_id, Outcome::Accepted, wire.conversation_id);
    desk.tally.totals.accepted += 1;
    if let Some(mark) = Mark::decode(client_id)
        && session.measured
        && desk.window.measures(mark.at_us)
    {
        desk.tally.accepted.record(desk.now_us.saturating_sub(mark.at_us));
    }
}

fn take_error(session: &mut Session, desk: &mut Desk<'_>, wire: &Wire<'_>) {
    let code = String::from_utf8_lossy(wire.code).into_owned();
    *desk.tally.totals.errors.entry(code).or_default() += 1;
    if let Some(client_id) = wire.client_id {
        session.answered(client_id);
        desk.checker.answered(client_id, Outcome::of_error(wire.code), None);
    } else {
        session.healing = 0; // perhaps the answer to a request for history
    }
}

fn take_presence(desk: &mut Desk<'_>, wire: &Wire<'_>) {
    desk.tally.totals.presences += 1;
    if wire.status != b"online" {
        return;
    }
    let name = std::str::from_utf8(wire.user_id).unwrap_or_default();
    if let Some(user) = desk.shared.plan.number_of(name) {
        let since = desk.shared.online_since[user].load(Ordering::Relaxed);
        // Those who were there long before are told of at once, which measures nothing.
        let age = desk.now_us.saturating_sub(since);
        if since > 0 && age < 10_000_000 && desk.window.measures(since) {
            desk.tally.presence.record(age);
        }
    }
}

fn logged_in(session: &mut Session, desk: &mut Desk<'_>) {
    session.ready = true;
    desk.tally.totals.logins += 1;
    if let Some(since) = session.away_since_us.take() {
        let away_ms = desk.now_us.saturating_sub(since) / 1000;
        desk.tally.totals.longest_away_ms = desk.tally.totals.longest_away_ms.max(away_ms);
    }
    desk.tally.login.record(desk.now_us.saturating_sub(session.login_due_us));
    desk.shared.connected.fetch_add(1, Ordering::Relaxed);
    if desk.shared.scenario.presence.watch > 0 {
        outbound::watch(session, desk.shared);
    }
    // What has no answer yet is sent (again), as any client would.
    for at in 0..session.outstanding.len() {
        let mut one = session.outstanding[at];
        if one.written {
            desk.tally.totals.sent_again += 1;
        }
        desk.checker.sent_again(one.client_id);
        one.written = true;
        session.outstanding[at] = one;
        write_send(session, desk.shared, &desk.checker, one.conversation, one.client_id);
    }
}

/// Queues one `send` frame, addressed by id when that is known.
pub fn write_send(
    session: &mut Session,
    shared: &Shared,
    checker: &Checker,
    conversation: u32,
    client_id: Uuid,
) {
    let key = shared.conversations[conversation as usize];
    let planned = &shared.plan.conversations[conversation as usize];
    // The other one of a pair may know the id already; this client goes by what it was told itself.
    let told = !planned.direct || session.learned.contains(&conversation);
    let place = match checker.conversation_id(key).filter(|_| told) {
        Some(id) => outbound::Place::Known(id),
        None => {
            let other = planned.members.iter().find(|member| **member != session.user);
            outbound::Place::To(other.map_or("", |member| &shared.plan.users[*member as usize]))
        }
    };
    outbound::send(session, shared, place, client_id);
}

/// The client's reader of a conversation, and its place; binds the one whose id was unknown.
pub fn find_reader(session: &mut Session, desk: &mut Desk<'_>, id: Uuid) -> Option<(u32, ReaderKey)> {
    let (place, reader) = reader_of(session, desk, id)?;
    if desk.shared.is_direct {
        session.learn(desk.shared.plan.memberships[session.user as usize][place as usize]);
    }
    Some((place, reader))
}

fn reader_of(session: &Session, desk: &mut Desk<'_>, id: Uuid) -> Option<(u32, ReaderKey)> {
    let readers = &desk.shared.readers[session.user as usize];
    let mut unbound = None;
    for (place, reader) in readers.iter().enumerate() {
        let conversation = desk.checker.conversation_of(*reader);
        match desk.checker.conversation_id(conversation) {
            Some(known) if known == id => return Some((place as u32, *reader)),
            Some(_) => {}
            None => unbound = Some((place as u32, *reader, conversation)),
        }
    }
    let (place, reader, conversation) = unbound?;
    desk.checker.bind(conversation, id).then_some((place, reader))
}

fn acknowledge(session: &mut Session, desk: &Desk<'_>) {
    for place in std::mem::take(&mut session.to_acknowledge) {
        let reader = desk.shared.readers[session.user as usize][place as usize];
        let conversation = desk.checker.conversation_of(reader);
        if let Some(id) = desk.checker.conversation_id(conversation) {
            let read = desk.shared.scenario.receipts.read;
            outbound::acknowledge(session, id, desk.checker.cursor(reader), read);
        }
    }
}
