use bytes::Bytes;
use proptest::prelude::*;
use uuid::Uuid;

use super::read::BadPayload;
use super::*;
use crate::model::{ClientId, ConversationId, GatewayId, Seq, SessionId};

fn any_user() -> impl Strategy<Value = UserId> {
    "[a-zA-Z0-9éß@. ]{1,64}".prop_map(|name| UserId::parse(&name).unwrap())
}

fn any_uuid() -> impl Strategy<Value = Uuid> {
    any::<[u8; 16]>().prop_map(Uuid::from_bytes)
}

fn any_seq() -> impl Strategy<Value = Seq> {
    prop_oneof![Just(Seq::ZERO), Just(Seq::MAX), (0..i64::MAX).prop_map(Seq::new)]
}

fn any_stamp() -> impl Strategy<Value = Stamp> {
    (any_uuid(), any_seq(), any_seq()).prop_map(|(id, seq, members_seq)| Stamp {
        conversation_id: ConversationId::from_uuid(id),
        seq,
        members_seq,
    })
}

fn any_target() -> impl Strategy<Value = Target> {
    let users = || prop::collection::vec(any_user(), 0..5);
    prop_oneof![
        users().prop_map(Target::Users),
        (any_uuid(), users()).prop_map(|(id, users)| Target::Group(ConversationId::from_uuid(id), users)),
        any_user().prop_map(Target::Watchers),
        any_uuid().prop_map(|id| Target::Gateway(GatewayId::from_uuid(id))),
        Just(Target::Everyone),
    ]
}

fn any_result() -> impl Strategy<Value = Result<Seq, Refusal>> {
    prop_oneof![
        any_seq().prop_map(Ok),
        prop::sample::select(vec![
            Refusal::NotFound,
            Refusal::Forbidden,
            Refusal::Conflict,
            Refusal::Rejected,
        ])
        .prop_map(Err),
    ]
}

fn any_body() -> impl Strategy<Value = EventBody> {
    let frame = (
        prop::collection::vec(any::<u8>(), 0..300),
        prop::option::of(any_stamp()),
        prop::option::of(any_user()),
        any::<i64>(),
    );
    prop_oneof![
        frame.prop_map(|(json, stamp, except, received_ms)| EventBody::Frame {
            json: Bytes::from(json),
            stamp,
            except,
            received_ms
        }),
        (any_stamp(), any::<bool>()).prop_map(|(stamp, removed)| EventBody::Conversation { stamp, removed }),
        (any_uuid(), any_uuid(), any_uuid(), any_result()).prop_map(|(session, client, id, result)| {
            EventBody::Outcome {
                session: SessionId::from_uuid(session),
                client_id: ClientId::from_uuid(client),
                conversation_id: ConversationId::from_uuid(id),
                result,
            }
        }),
        ".{0,40}".prop_map(|reason| EventBody::Resync { reason }),
        (any::<bool>(), prop::option::of(any_uuid())).prop_map(|(deactivated, session)| {
            EventBody::Expelled { deactivated, session: session.map(SessionId::from_uuid) }
        }),
        Just(EventBody::Forget),
        (any_uuid(), ".{0,40}").prop_map(|(request, json)| EventBody::Answer {
            request: SessionId::from_uuid(request),
            json: Bytes::from(json),
        }),
    ]
}

fn any_events() -> impl Strategy<Value = Vec<Event>> {
    let event = (any_target(), any_body()).prop_map(|(target, body)| Event { target, body });
    prop::collection::vec(event, 0..8)
}

fn payload(events: &[Event]) -> Vec<u8> {
    let mut payload = vec![VERSION];
    for event in events {
        encode(event, &mut payload);
    }
    payload
}

fn frame(bytes: usize) -> Event {
    let json = Bytes::from(vec![b'x'; bytes]);
    let body = EventBody::Frame { json, stamp: None, except: None, received_ms: 0 };
    Event { target: Target::Everyone, body }
}

proptest! {
    #[test]
    fn events_are_read_back_as_they_were_written(events in any_events()) {
        prop_assert_eq!(decode(&payload(&events)).unwrap(), events);
    }

    #[test]
    fn rubbish_is_refused_without_panic(rubbish in prop::collection::vec(any::<u8>(), 0..500)) {
        let _ = decode(&rubbish);
        let mut of_our_version = vec![VERSION];
        of_our_version.extend(rubbish);
        if let Ok(events) = decode(&of_our_version) {
            prop_assert!(events.len() < of_our_version.len());
        }
    }

    #[test]
    fn a_payload_that_was_cut_is_refused_or_shorter(events in any_events(), cut in any::<prop::sample::Index>()) {
        let whole = payload(&events);
        let short = &whole[..cut.index(whole.len())];
        if let Ok(read) = decode(short) {
            prop_assert!(read.len() < events.len() || read == events);
            prop_assert_eq!(&read[..], &events[..read.len()]);
        }
    }

    #[test]
    fn a_changed_byte_never_panics(events in any_events(), place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut changed = payload(&events);
        let place = place.index(changed.len());
        changed[place] = byte;
        let _ = decode(&changed);
    }
}

#[test]
fn another_version_is_named() {
    assert_eq!(decode(&[9, 1, 2, 3]), Err(BadPayload::Version(9)));
    assert_eq!(decode(&[]), Err(BadPayload::Short));
}

#[test]
fn a_count_beyond_the_payload_reserves_nothing() {
    let mut payload = vec![VERSION, tag::USERS];
    unsigned(u64::MAX, &mut payload);
    payload.push(1);
    assert!(matches!(decode(&payload), Err(BadPayload::Short | BadPayload::Invalid(_))));
}

#[test]
fn a_sign_of_life_holds_no_events() {
    assert_eq!(decode(&empty()), Ok(Vec::new()));
}

#[test]
fn a_long_batch_is_cut_into_payloads_in_order_and_a_huge_event_travels_alone() {
    let events = [frame(600_000), frame(600_001), frame(3_000_000), frame(10)];
    let mut payloads = Payloads::default();
    for event in &events {
        let mut bytes = Vec::new();
        encode(event, &mut bytes);
        payloads.push(&bytes);
    }
    let payloads = payloads.finish();
    assert_eq!(payloads.len(), 4);
    let read: Vec<Event> = payloads.iter().flat_map(|payload| decode(payload).unwrap()).collect();
    assert_eq!(read, events);
    assert!(Payloads::default().finish().is_empty());
}
