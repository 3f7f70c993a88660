//! The pieces that every message meets, each alone, so that a regression is seen where it happens.
//!
//! `cargo bench --bench hot_path` compares with the run before; `-- frame` runs what has that in its name.

use std::hint::black_box;
use std::num::NonZeroU16;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use serde_json::json;
use tidings::config::{self, Sources, load};
use tidings::gateway::limits::TokenBucket;
use tidings::gateway::outbox::Outbox;
use tidings::gateway::rates::UserRates;
use tidings::gateway::registry::Registry;
use tidings::gateway::session::{NewSession, Session};
use tidings::model::{
    Body, ClientId, ConversationId, EntryKind, Membership, MessageId, NewEntry, Seq, SessionId, Timestamp,
    UserId,
};
use tidings::protocol::{Encoding, Message, encode, parse};
use tidings::queue::{Batch, Partitions};
use tokio::time::Instant;

/// What performance.md measures with.
const TEXT: usize = 100;

fn user(number: usize) -> UserId {
    UserId::parse(&format!("user-{number:05}")).expect("a short name")
}

fn entry(number: usize) -> NewEntry {
    let (sender, peer) = (user(number), user(number + 1));
    NewEntry {
        conversation_id: ConversationId::direct(&sender, &peer),
        sender_id: sender,
        client_id: ClientId::new(),
        kind: EntryKind::Text,
        body: Body { text: Some("x".repeat(TEXT)), ..Body::default() },
        peer: Some(peer),
        create: false,
        provision: false,
        received_ms: Timestamp::now().as_millis(),
        origin: None,
        push: None,
    }
}

fn frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame");
    let send = json!({
        "type": "send", "ref": "17", "conversation_id": ConversationId::new(), "client_id": ClientId::new(), "text": "x".repeat(TEXT),
    });
    let text = Bytes::from(send.to_string());
    group.bench_function("parse send", |bencher| bencher.iter(|| parse(black_box(&text))));
    let packed = Encoding::MessagePack.from_json(&text);
    group.bench_function("parse send, MessagePack", |bencher| {
        bencher.iter(|| Encoding::MessagePack.to_json(black_box(&packed)).map(|json| parse(&json).is_ok()));
    });
    let stored = entry(1);
    group.bench_function("encode message", |bencher| {
        bencher.iter(|| encode(&Message::live(black_box(&stored), Seq::new(7), MessageId::new())));
    });
    group.finish();
}

fn batches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("batch");
    for size in [1, 50, 500] {
        let batch = Batch::new((0..size).map(entry).collect());
        let bytes = batch.encode();
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(format!("encode {size}"), |bencher| bencher.iter(|| black_box(&batch).encode()));
        group.bench_function(format!("decode {size}"), |bencher| {
            bencher.iter(|| Batch::decode(black_box(&bytes)));
        });
    }
    group.finish();
}

fn partition(criterion: &mut Criterion) {
    let partitions = Partitions::new(NonZeroU16::new(16).expect("not zero"));
    let id = ConversationId::new();
    criterion.bench_function("partition of a conversation", |bencher| {
        bencher.iter(|| partitions.of(black_box(id)));
    });
}

/// 15,000 users with a socket each, 50 of them in one group.
fn registry(criterion: &mut Criterion) {
    let secret = ("TIDINGS__AUTH__HS256_SECRET".to_owned(), "s".repeat(32));
    let sources = Sources { environment: vec![secret], ..Sources::default() };
    let settings = load(&sources).expect("the defaults are valid").config.gateway;
    let rates = UserRates::new(&settings);
    let registry = Registry::default();
    let sessions: Vec<_> =
        (0..15_000).map(|number| Arc::new(session(user(number), &settings, &rates))).collect();
    for session in &sessions {
        registry.add(session);
    }
    let group_id = ConversationId::new();
    let membership = [Membership { conversation_id: group_id, members_seq: Seq::ZERO }];
    for session in sessions.iter().take(50) {
        registry.join(&session.user_id, &membership);
    }
    let mut group = criterion.benchmark_group("registry");
    let mut next = 0;
    group.bench_function("sockets of a user", |bencher| {
        bencher.iter(|| {
            next = (next + 4_999) % sessions.len();
            let mut found = 0;
            registry.for_each_session_of(&sessions[next].user_id, |_| found += 1);
            found
        });
    });
    group.bench_function("members of a group of 50", |bencher| {
        bencher.iter(|| registry.members_here(black_box(group_id)));
    });
    group.finish();
}

fn session(user_id: UserId, settings: &config::Gateway, rates: &UserRates) -> Session {
    Session::new(NewSession {
        id: SessionId::new(),
        device_id: None,
        sign_in: None,
        encoding: Encoding::Json,
        outbox_bytes: settings.outbox_bytes,
        active: true,
        expires_at: Timestamp::now(),
        issued_at: None,
        messages: TokenBucket::new(settings.messages_per_second, settings.message_burst, Instant::now()),
        user_messages: rates.of(&user_id),
        user_id,
    })
}

fn outbox(criterion: &mut Criterion) {
    let frame = Bytes::from(vec![b'x'; 300]);
    criterion.bench_function("outbox, in and out", |bencher| {
        bencher.iter_batched_ref(
            || {
                let outbox = Outbox::holding(1 << 20);
                outbox.release(|_| false);
                outbox
            },
            |outbox| {
                outbox.answer(frame.clone());
                outbox.take().is_some()
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(pieces, frames, batches, partition, registry, outbox);
criterion_main!(pieces);
