//! What gateways are to hear of a persisted batch.

use crate::model::{
    ConversationId, ConversationKind, EntryKind, Event, EventBody, NewEntry, Origin, Refusal, Seq, Stamp,
    Target, UserId,
};
use crate::protocol::{Message, encode};
use crate::store::{Appended, Stored};

use super::persist::Persisted;

/// The events of a batch, in its order.
pub(super) fn events(entries: &[NewEntry], results: &[Persisted]) -> Vec<Event> {
    let mut events = Vec::with_capacity(entries.len() + entries.len() / 4);
    for (entry, result) in entries.iter().zip(results) {
        match result {
            Persisted::Appended(Appended::Stored(stored)) => {
                announce(entry, stored, &mut events);
                if let Some(origin) = entry.origin.filter(|origin| origin.wants_stored) {
                    let target = Target::Gateway(origin.gateway);
                    events.push(outcome(entry, origin, target, Ok(stored.seq)));
                }
            }
            Persisted::Appended(Appended::Refused(refusal)) => refuse(entry, *refusal, &mut events),
            Persisted::Dead => refuse(entry, Refusal::Rejected, &mut events),
        }
    }
    events
}

/// Which groups got new members by the batch.
pub(super) fn joined(entries: &[NewEntry], results: &[Persisted]) -> Vec<(ConversationId, Vec<UserId>)> {
    let joined = entries.iter().zip(results).filter_map(|(entry, result)| match result {
        Persisted::Appended(Appended::Stored(stored)) if !stored.audience.joined.is_empty() => {
            Some((entry.conversation_id, stored.audience.joined.clone()))
        }
        Persisted::Appended(_) | Persisted::Dead => None,
    });
    joined.collect()
}

/// How many users an event names; a group counts as one here, its gateways know how many it has.
pub(super) fn recipients(event: &Event) -> usize {
    match &event.target {
        Target::Users(users) => users.len(),
        Target::Group(_, also) => 1 + also.len(),
        Target::Watchers(_) | Target::Gateway(_) | Target::Everyone => 1,
    }
}

fn announce(entry: &NewEntry, stored: &Stored, events: &mut Vec<Event>) {
    let stamp =
        Stamp { conversation_id: entry.conversation_id, seq: stored.seq, members_seq: stored.members_seq };
    let began = stored.seq == Seq::new(1) && entry.create;
    if began || !stored.audience.joined.is_empty() {
        let users = if began { members(entry) } else { stored.audience.joined.clone() };
        events.push(Event {
            target: Target::Users(users),
            body: EventBody::Conversation { stamp, removed: false },
        });
    }
    let json = match &stored.original {
        Some(original) => encode(&Message::from(&**original)),
        None => encode(&Message::live(entry, stored.seq, stored.id)),
    };
    events.push(Event {
        target: target(entry, stored),
        body: EventBody::Frame { json, stamp: Some(stamp), except: None, received_ms: entry.received_ms },
    });
    match entry.kind {
        EntryKind::TitleChanged | EntryKind::RoleChanged => events.push(Event {
            target: target(entry, stored),
            body: EventBody::Conversation { stamp, removed: false },
        }),
        EntryKind::MemberLeft if !stored.audience.left.is_empty() => events.push(Event {
            target: Target::Users(stored.audience.left.clone()),
            body: EventBody::Conversation { stamp, removed: true },
        }),
        EntryKind::MemberLeft
        | EntryKind::Text
        | EntryKind::Edit
        | EntryKind::Delete
        | EntryKind::Reaction
        | EntryKind::MemberJoined => {}
    }
}

/// A direct conversation is routed by its two users, a group by its own route and by those who come or go.
fn target(entry: &NewEntry, stored: &Stored) -> Target {
    match stored.kind {
        ConversationKind::Direct => Target::Users(members(entry)),
        ConversationKind::Group | ConversationKind::Channel => {
            let audience = &stored.audience;
            Target::Group(
                entry.conversation_id,
                audience.joined.iter().chain(&audience.left).cloned().collect(),
            )
        }
    }
}

fn members(entry: &NewEntry) -> Vec<UserId> {
    std::iter::once(&entry.sender_id).chain(&entry.peer).cloned().collect()
}

fn refuse(entry: &NewEntry, refusal: Refusal, events: &mut Vec<Event>) {
    let Some(origin) = entry.origin else { return };
    // By the sender's route, which outlives the subscription under which their gateway sent it on; a request
    // of HTTP has no socket and is reached by its gateway.
    let target = if origin.wants_stored {
        Target::Gateway(origin.gateway)
    } else {
        Target::Users(vec![entry.sender_id.clone()])
    };
    events.push(outcome(entry, origin, target, Err(refusal)));
}

fn outcome(entry: &NewEntry, origin: Origin, target: Target, result: Result<Seq, Refusal>) -> Event {
    Event {
        target,
        body: EventBody::Outcome {
            session: origin.session,
            client_id: entry.client_id,
            conversation_id: entry.conversation_id,
            result,
        },
    }
}
