//! The frames that clients send.

use std::fmt::Write;

use uuid::Uuid;

use crate::checker::Checker;
use crate::ws::{Opcode, frame};

use super::Shared;
use super::session::Session;

/// Server and client are both ours; the mask is there because the RFC asks for one.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x17, 0x9e];
/// Cursors that fit into a `hello`.
const HELLO_CURSORS: usize = 500;
/// Users that one `presence` frame may name.
const WATCH_AT_MOST: usize = 100;

pub fn text(outbox: &mut Vec<u8>, json: &str) {
    frame::encode(outbox, Opcode::Text, json.as_bytes(), Some(MASK));
}

pub fn close(outbox: &mut Vec<u8>) {
    frame::encode(outbox, Opcode::Close, &1000u16.to_be_bytes(), Some(MASK));
}

pub fn pong(outbox: &mut Vec<u8>, payload: &[u8]) {
    frame::encode(outbox, Opcode::Pong, payload, Some(MASK));
}

/// `hello` with the cursors of every conversation whose id is known.
pub fn hello(session: &mut Session, shared: &Shared) {
    let mut json = String::from(r#"{"type":"hello","device_id":"load""#);
    cursors(&mut json, session, shared, &shared.checker());
    json.push('}');
    text(&mut session.outbox, &json);
}

pub fn sync(session: &mut Session, shared: &Shared, checker: &Checker) {
    let mut json = String::from(r#"{"type":"sync""#);
    cursors(&mut json, session, shared, checker);
    json.push('}');
    text(&mut session.outbox, &json);
}

fn cursors(json: &mut String, session: &Session, shared: &Shared, checker: &Checker) {
    json.push_str(r#","cursors":{"#);
    let mut first = true;
    for reader in shared.readers[session.user as usize].iter().take(HELLO_CURSORS) {
        let conversation = checker.conversation_of(*reader);
        if let Some(id) = checker.conversation_id(conversation) {
            let comma = if first { "" } else { "," };
            first = false;
            let _ = write!(json, r#"{comma}"{id}":{}"#, checker.cursor(*reader));
        }
    }
    json.push('}');
}

/// A message; `conversation_id` once it is known, else `to` the other one of a pair.
pub fn send(session: &mut Session, shared: &Shared, place: Place<'_>, client_id: Uuid) {
    thread_local! {
        static JSON: std::cell::RefCell<String> = const { std::cell::RefCell::new(String::new()) };
    }
    JSON.with_borrow_mut(|json| {
        json.clear();
        let _ = match place {
            Place::Known(id) => {
                write!(json, r#"{{"type":"send","conversation_id":"{id}""#)
            }
            Place::To(user) => write!(json, r#"{{"type":"send","to":"{user}""#),
        };
        let text_part = &shared.text;
        let _ = write!(json, r#","client_id":"{client_id}","text":"{text_part}"}}"#);
        text(&mut session.outbox, json);
    });
}

/// How a message is addressed.
pub enum Place<'a> {
    Known(Uuid),
    To(&'a str),
}

pub fn acknowledge(session: &mut Session, conversation: Uuid, seq: u32, read: bool) {
    let ack = format!(r#"{{"type":"ack","conversation_id":"{conversation}","seq":{seq}}}"#);
    text(&mut session.outbox, &ack);
    if read {
        let read = format!(r#"{{"type":"read","conversation_id":"{conversation}","seq":{seq}}}"#);
        text(&mut session.outbox, &read);
    }
}

pub fn history(session: &mut Session, conversation: Uuid, after: u32) {
    let json =
        format!(r#"{{"type":"history","conversation_id":"{conversation}","after":{after},"limit":200}}"#);
    text(&mut session.outbox, &json);
}

/// Asks for the presence of others of the same conversations.
pub fn watch(session: &mut Session, shared: &Shared) {
    let wanted = (shared.scenario.presence.watch as usize).min(WATCH_AT_MOST);
    let plan = &shared.plan;
    let mut names: Vec<&str> = Vec::new();
    for conversation in &plan.memberships[session.user as usize] {
        for member in &plan.conversations[*conversation as usize].members {
            if *member != session.user && names.len() < wanted {
                names.push(&plan.users[*member as usize]);
            }
        }
    }
    if !names.is_empty() {
        let json = serde_json::json!({"type": "presence", "user_ids": names});
        text(&mut session.outbox, &json.to_string());
    }
}
