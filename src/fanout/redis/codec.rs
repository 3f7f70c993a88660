//! The payload of a PUBLISH: a version, then events one after another.
//!
//! Compact and written by hand: a batch is 200 bytes an event, 28,000 of them a second, so names of fields would cost more than their
//! values. Numbers are LEB128, texts and lists carry their length, ids are their 16 bytes. Whoever changes the layout counts
//! [`VERSION`] up and keeps decoding the one before.

mod read;

use bytes::Bytes;
use uuid::Uuid;

use crate::model::{Event, EventBody, Refusal, Stamp, Target, UserId};

pub(super) use read::decode;

/// First byte of every payload.
const VERSION: u8 = 1;

/// What a byte says is next; never reused.
mod tag {
    pub(super) const USERS: u8 = 1;
    pub(super) const GROUP: u8 = 2;
    pub(super) const WATCHERS: u8 = 3;
    pub(super) const GATEWAY: u8 = 4;
    pub(super) const EVERYONE: u8 = 5;

    pub(super) const FRAME: u8 = 1;
    pub(super) const CONVERSATION: u8 = 2;
    pub(super) const OUTCOME: u8 = 3;
    pub(super) const RESYNC: u8 = 4;
    pub(super) const EXPELLED: u8 = 5;
    pub(super) const FORGET: u8 = 6;
    /// Without a new version: it comes only to a gateway that asked, and one of the release before does not.
    pub(super) const ANSWER: u8 = 7;

    pub(super) const STORED: u8 = 0;
    pub(super) const NOT_FOUND: u8 = 1;
    pub(super) const FORBIDDEN: u8 = 2;
    pub(super) const CONFLICT: u8 = 3;
    pub(super) const REJECTED: u8 = 4;
}

/// Appends an event to a payload.
pub(super) fn encode(event: &Event, to: &mut Vec<u8>) {
    target(&event.target, to);
    body(&event.body, to);
}

/// One gateway's payloads: a new one begins when the last has [`Self::FULL`] bytes.
#[derive(Default)]
pub(super) struct Payloads {
    full: Vec<Bytes>,
    last: Vec<u8>,
}

impl Payloads {
    /// Redis copies a payload once for each receiver and holds everything else up meanwhile; a mebibyte is under a millisecond.
    const FULL: usize = 1024 * 1024;

    /// Appends an event that [`encode`] wrote.
    pub(super) fn push(&mut self, event: &[u8]) {
        if self.last.len() + event.len() > Self::FULL && self.last.len() > 1 {
            self.full.push(Bytes::from(std::mem::take(&mut self.last)));
        }
        if self.last.is_empty() {
            self.last.push(VERSION);
        }
        self.last.extend_from_slice(event);
    }

    pub(super) fn finish(mut self) -> Vec<Bytes> {
        if !self.last.is_empty() {
            self.full.push(Bytes::from(self.last));
        }
        self.full
    }
}

/// A payload without events: a sign of life.
pub(super) fn empty() -> Bytes {
    Bytes::from_static(&[VERSION])
}

fn target(target: &Target, to: &mut Vec<u8>) {
    match target {
        Target::Users(list) => {
            to.push(tag::USERS);
            users(list, to);
        }
        Target::Group(group, list) => {
            to.push(tag::GROUP);
            uuid(group.as_uuid(), to);
            users(list, to);
        }
        Target::Watchers(user) => {
            to.push(tag::WATCHERS);
            text(user.as_str(), to);
        }
        Target::Gateway(gateway) => {
            to.push(tag::GATEWAY);
            uuid(gateway.as_uuid(), to);
        }
        Target::Everyone => to.push(tag::EVERYONE),
    }
}

fn body(body: &EventBody, to: &mut Vec<u8>) {
    match body {
        EventBody::Frame { json, stamp: place, except, received_ms } => {
            to.push(tag::FRAME);
            bytes(json, to);
            option(place.as_ref(), to, stamp);
            option(except.as_ref(), to, |user, to| text(user.as_str(), to));
            signed(*received_ms, to);
        }
        EventBody::Conversation { stamp: place, removed } => {
            to.push(tag::CONVERSATION);
            stamp(place, to);
            to.push(u8::from(*removed));
        }
        EventBody::Outcome { session, client_id, conversation_id, result } => {
            to.push(tag::OUTCOME);
            for id in [session.as_uuid(), client_id.as_uuid(), conversation_id.as_uuid()] {
                uuid(id, to);
            }
            match result {
                Ok(seq) => {
                    to.push(tag::STORED);
                    signed(seq.get(), to);
                }
                Err(refusal) => to.push(refusal_tag(*refusal)),
            }
        }
        EventBody::Resync { reason } => {
            to.push(tag::RESYNC);
            text(reason, to);
        }
        EventBody::Expelled { deactivated, session } => {
            to.push(tag::EXPELLED);
            to.push(u8::from(*deactivated));
            option(session.as_ref(), to, |session, to| uuid(session.as_uuid(), to));
        }
        EventBody::Forget => to.push(tag::FORGET),
        EventBody::Answer { request, json } => {
            to.push(tag::ANSWER);
            uuid(request.as_uuid(), to);
            bytes(json, to);
        }
    }
}

fn refusal_tag(refusal: Refusal) -> u8 {
    match refusal {
        Refusal::NotFound => tag::NOT_FOUND,
        Refusal::Forbidden => tag::FORBIDDEN,
        Refusal::Conflict => tag::CONFLICT,
        Refusal::Rejected => tag::REJECTED,
    }
}

fn stamp(stamp: &Stamp, to: &mut Vec<u8>) {
    uuid(stamp.conversation_id.as_uuid(), to);
    signed(stamp.seq.get(), to);
    signed(stamp.members_seq.get(), to);
}

fn users(users: &[UserId], to: &mut Vec<u8>) {
    unsigned(users.len() as u64, to);
    for user in users {
        text(user.as_str(), to);
    }
}

fn option<T>(value: Option<&T>, to: &mut Vec<u8>, write: impl Fn(&T, &mut Vec<u8>)) {
    to.push(u8::from(value.is_some()));
    if let Some(value) = value {
        write(value, to);
    }
}

fn text(text: &str, to: &mut Vec<u8>) {
    bytes(text.as_bytes(), to);
}

fn bytes(bytes: &[u8], to: &mut Vec<u8>) {
    unsigned(bytes.len() as u64, to);
    to.extend_from_slice(bytes);
}

fn uuid(id: Uuid, to: &mut Vec<u8>) {
    to.extend_from_slice(id.as_bytes());
}

/// Zigzag, so that small negative numbers are short too.
fn signed(number: i64, to: &mut Vec<u8>) {
    unsigned(((number << 1) ^ (number >> 63)).cast_unsigned(), to);
}

fn unsigned(mut number: u64, to: &mut Vec<u8>) {
    while number >= 0x80 {
        to.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

#[cfg(test)]
mod tests;
