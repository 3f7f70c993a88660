//! What `permessage-deflate` saves and costs: frames as they are on the wire, with the texts of `chat.txt`.
//!
//! `cargo bench --bench deflate` prints a table of sizes and then times; `-- deflate` runs what has that in its name.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::{Compress, Compression, FlushCompress};
use serde_json::value::RawValue;
use tidings::gateway::deflate::{deflate, inflate};
use tidings::model::{
    Body, ClientId, ConversationId, EntryKind, MessageId, NewEntry, Seq, Timestamp, UserId,
};
use tidings::protocol::{Encoding, HistoryFrame, Message, ServerFrame, encode, encode_part};

const CHAT: &str = include_str!("chat.txt");
const LIMIT: usize = 256 * 1024;
const WINDOW_BITS: u8 = 15;

fn entry(text: &str, conversation_id: ConversationId, number: usize) -> NewEntry {
    let users = ["0192f0c0-61aa-7d10-9c54-2f2c35c9b5a1", "0192f0c0-61ab-7e84-8d05-a2a1cf0b9e77"];
    NewEntry {
        conversation_id,
        sender_id: UserId::parse(users[number % 2]).expect("a short name"),
        client_id: ClientId::new(),
        kind: EntryKind::Text,
        body: Body { text: Some(text.to_owned()), ..Body::default() },
        peer: None,
        create: false,
        provision: false,
        received_ms: Timestamp::now().as_millis() + 7_300 * number as i64,
        origin: None,
        push: None,
    }
}

/// A frame a text.
fn singles() -> Vec<Bytes> {
    let conversation = ConversationId::new();
    let entries = CHAT.lines().enumerate().map(|(number, text)| entry(text, conversation, number));
    entries.enumerate().map(|(number, entry)| live(&entry, number)).collect()
}

fn live(entry: &NewEntry, number: usize) -> Bytes {
    encode(&Message::live(entry, Seq::new(number as i64 + 1), MessageId::new()))
}

/// The texts, and when they are used up, such of words picked from them: harder to compress than what people write, and none twice.
fn texts() -> impl Iterator<Item = String> {
    let words: Vec<&str> = CHAT.split_whitespace().collect();
    let mut state = 88_172_645_463_325_252_u64;
    let mut word = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        words[(state % words.len() as u64) as usize]
    };
    let more = CHAT.lines().cycle().map(move |line| {
        let picked: Vec<&str> = line.split_whitespace().map(|_| word()).collect();
        picked.join(" ")
    });
    CHAT.lines().map(str::to_owned).chain(more)
}

/// One frame with about so many bytes of a conversation.
fn page(bytes: usize) -> Bytes {
    let conversation_id = ConversationId::new();
    let mut messages: Vec<Box<RawValue>> = Vec::new();
    let mut length = 0;
    for (number, text) in texts().enumerate() {
        let entry = entry(&text, conversation_id, number);
        let message = encode_part(&Message::live(&entry, Seq::new(number as i64 + 1), MessageId::new()));
        length += message.get().len();
        if length > bytes {
            break;
        }
        messages.push(message);
    }
    let frame = HistoryFrame {
        reference: None,
        conversation_id,
        messages: &messages,
        has_more: true,
        first_seq: Seq::new(1),
    };
    encode(&ServerFrame::History(frame))
}

/// What is sent of a frame: the deflated form when that is smaller.
fn sent(frame: &[u8]) -> usize {
    deflate(frame, WINDOW_BITS, <[u8]>::len).unwrap_or(frame.len())
}

fn frames() -> Vec<(String, Vec<Bytes>)> {
    let mut singles = singles();
    singles.sort_by_key(Bytes::len);
    let mut sets = Vec::new();
    for (from, to) in [(0, 320), (320, 384), (384, 512), (512, usize::MAX)] {
        let some: Vec<Bytes> =
            singles.iter().filter(|frame| (from..to).contains(&frame.len())).cloned().collect();
        let mean = some.iter().map(Bytes::len).sum::<usize>() / some.len().max(1);
        sets.push((format!("message, about {mean} bytes"), some));
    }
    let packed = singles.iter().map(|frame| Encoding::MessagePack.from_json(frame)).collect();
    sets.push(("message, all, MessagePack".to_owned(), packed));
    sets.push(("message, all".to_owned(), singles));
    for kib in [1, 4, 10, 20, 100, 250] {
        sets.push((format!("page of {kib} KiB"), vec![page(kib * 1024)]));
    }
    sets
}

fn sizes(_: &mut Criterion) {
    println!("| frames | plain | deflated | saved |\n|---|--:|--:|--:|");
    for (name, set) in frames() {
        let plain: usize = set.iter().map(Bytes::len).sum();
        let deflated: usize = set.iter().map(|frame| sent(frame)).sum();
        let saved = 100.0 - 100.0 * deflated as f64 / plain as f64;
        let count = set.len();
        println!("| {name} ({count}) | {} | {} | {saved:.0} % |", plain / count, deflated / count);
    }
}

/// What each level of the compressor would save and cost.
fn levels(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("level");
    for (name, set) in [
        ("message", singles()),
        ("page of 10 KiB", vec![page(10 * 1024)]),
        ("page of 100 KiB", vec![page(100 * 1024)]),
    ] {
        let plain: usize = set.iter().map(Bytes::len).sum();
        for level in [1, 2, 3, 4, 6, 9] {
            let mut compress = Compress::new_with_window_bits(Compression::new(level), false, WINDOW_BITS);
            let mut into = vec![0; LIMIT + 1024];
            let mut deflated = 0;
            for frame in &set {
                compress.reset();
                compress.compress(frame, &mut into, FlushCompress::Sync).expect("there is room");
                deflated += compress.total_out() - 4;
            }
            let saved = 100.0 - 100.0 * deflated as f64 / plain as f64;
            let mut next = 0;
            group.bench_function(format!("{name}, {level}: {saved:.1} % saved"), |bencher| {
                bencher.iter(|| {
                    next = (next + 1) % set.len();
                    compress.reset();
                    compress.compress(black_box(&set[next]), &mut into, FlushCompress::Sync)
                });
            });
        }
    }
    group.finish();
}

fn times(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("deflate");
    for (name, mut set) in frames() {
        // One frame over and over would be the one that is kept.
        if let [only] = &set[..] {
            set.push(Bytes::from(swapped(only)));
        }
        let mean = set.iter().map(Bytes::len).sum::<usize>() / set.len();
        group.throughput(Throughput::Bytes(mean as u64));
        let mut next = 0;
        group.bench_function(&name, |bencher| {
            bencher.iter(|| {
                next = (next + 1) % set.len();
                sent(black_box(&set[next]))
            });
        });
    }
    let frame = singles().swap_remove(3);
    group.throughput(Throughput::Bytes(frame.len() as u64));
    group.bench_function("message, the same again", |bencher| bencher.iter(|| sent(black_box(&frame))));
    group.finish();

    let mut group = criterion.benchmark_group("inflate");
    for (name, set) in frames() {
        let mean = set.iter().map(Bytes::len).sum::<usize>() / set.len();
        let set: Vec<Vec<u8>> =
            set.iter().filter_map(|frame| deflate(frame, WINDOW_BITS, <[u8]>::to_vec)).collect();
        group.throughput(Throughput::Bytes(mean as u64));
        let mut next = 0;
        group.bench_function(&name, |bencher| {
            bencher.iter(|| {
                next = (next + 1) % set.len();
                let mut into = Vec::new();
                inflate(black_box(&set[next]), LIMIT, &mut into).map(|()| into)
            });
        });
    }
    // The most that a client can make of few bytes: 64 KiB of one letter.
    let bomb = deflate(&[b'x'; 64 * 1024], WINDOW_BITS, <[u8]>::to_vec).expect("it becomes smaller");
    group.throughput(Throughput::Bytes(64 * 1024));
    group.bench_function(format!("64 KiB from {} bytes", bomb.len()), |bencher| {
        bencher.iter(|| {
            let mut into = Vec::new();
            inflate(black_box(&bomb), 64 * 1024, &mut into).map(|()| into)
        });
    });
    group.finish();
}

/// The same frame with two letters changed, so that it is another.
fn swapped(frame: &[u8]) -> Vec<u8> {
    let mut other = frame.to_vec();
    let end = other.len() - 3;
    other.swap(end, end - 1);
    other
}

criterion_group!(benches, sizes, levels, times);
criterion_main!(benches);
