//! Hands what strangers and other releases may send, changed at random, to the code that reads it: client frames, queue payloads, tokens.
//! `make fuzz` runs it. Needs no compiler but the stable one: what an input led to takes the place of coverage, an input with a new
//! outcome is changed further. What breaks is kept in `target/fuzz`.
//!
//! `fuzz TARGET SECONDS [SEED]`

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use tidings::auth::{Secret, Settings, Verifier};
use tidings::protocol::{Encoding, ErrorCode, parse};
use tidings::queue::Batch;

/// Longer inputs say nothing new.
const MAX_LENGTH: usize = 4096;
/// Inputs that are changed further.
const POOL: usize = 4096;

/// What is done with one input; the answer says what it was taken for.
type Reader = Box<dyn Fn(&[u8]) -> String>;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, target, seconds, rest @ ..] = arguments.as_slice() else { panic!("fuzz TARGET SECONDS [SEED]") };
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_secs();
    let seed = rest.first().map_or_else(clock, |seed| seed.parse().expect("SEED is a number"));
    let seconds = Duration::from_secs(seconds.parse().expect("SECONDS is a number"));
    let read: Reader = match target.as_str() {
        "client_frame_json" => Box::new(client_frame_json),
        "client_frame_msgpack" => Box::new(client_frame_msgpack),
        "queue_batch" => Box::new(queue_batch),
        "token" => token(),
        other => panic!("there is no target {other}"),
    };
    let mut pool: Vec<Vec<u8>> = std::fs::read_dir(Path::new("fuzz/corpus").join(target))
        .expect("the corpus is there")
        .map(|file| std::fs::read(file.expect("it can be listed").path()).expect("it can be read"))
        .collect();
    // Every one of the corpus as it is, then changed ones.
    let mut outcomes: HashSet<String> = pool.iter().map(|input| tried(&read, target, input)).collect();
    let mut random = StdRng::seed_from_u64(seed);
    let (began, mut count) = (Instant::now(), 0_u64);
    while began.elapsed() < seconds {
        for _ in 0..1000 {
            let input = changed(&pool, &mut random);
            if outcomes.insert(tried(&read, target, &input)) && pool.len() < POOL {
                pool.push(input);
            }
            count += 1;
        }
    }
    println!("{target}: {count} inputs, {} outcomes, seed {seed}, nothing broke", outcomes.len());
}

/// What an input leads to; one that breaks something is kept, and the process ends.
fn tried(read: &dyn Fn(&[u8]) -> String, target: &str, input: &[u8]) -> String {
    catch_unwind(AssertUnwindSafe(|| read(input))).unwrap_or_else(|_| {
        let path = format!("target/fuzz/{target}-{}", std::process::id());
        std::fs::create_dir_all("target/fuzz")
            .and_then(|()| std::fs::write(&path, input))
            .expect("it can be kept");
        eprintln!("{target}: broken by {path}");
        std::process::exit(1);
    })
}

/// One of the pool, changed a little in some places.
fn changed(pool: &[Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    let mut input = pool[random.random_range(0..pool.len())].clone();
    for _ in 0..random.random_range(1..=4) {
        let at = random.random_range(0..=input.len());
        let end = random.random_range(at..=input.len().min(at + 16));
        match random.random_range(0..6) {
            0 => {
                input.drain(at..end);
            }
            1 => {
                let copy = input[at..end].to_vec();
                input.splice(at..at, copy);
            }
            2 => {
                let odd = [0, 1, b'"', b'\\', b'{', b'[', 0x7f, 0x80, 0xc1, 0xd9, 0xdf, 0xff];
                input.insert(at, odd[random.random_range(0..odd.len())]);
            }
            3 => {
                let other = &pool[random.random_range(0..pool.len())];
                let from = random.random_range(0..=other.len());
                input.splice(at..end, other[from..].iter().copied());
            }
            _ if at < input.len() => input[at] ^= 1_u8 << random.random_range(0..8_u32),
            _ => input.push(random.random()),
        }
    }
    input.truncate(MAX_LENGTH);
    input
}

/// A client's text frame: read or refused, and no `ref` that comes back is over its limit.
fn client_frame_json(bytes: &[u8]) -> String {
    let (reference, outcome) = match parse(bytes) {
        Ok((reference, frame)) => (reference, format!("{:?}", std::mem::discriminant(&frame))),
        Err(bad) => {
            assert!(matches!(bad.code, ErrorCode::BadRequest | ErrorCode::Unsupported));
            (bad.reference, kind(&bad.message))
        }
    };
    assert!(reference.is_none_or(|text| text.chars().count() <= 64));
    outcome
}

/// A client's binary frame: what is read as JSON is JSON, and comes back through MessagePack as it was.
fn client_frame_msgpack(bytes: &[u8]) -> String {
    let Some(json) = Encoding::MessagePack.to_json(bytes) else {
        return "no frame".to_owned();
    };
    let value: Value = serde_json::from_slice(&json).expect("what was read is JSON");
    let packed = Encoding::MessagePack.from_json(&Bytes::copy_from_slice(&json));
    let again = Encoding::MessagePack.to_json(&packed).expect("our own MessagePack is read");
    let again: Value = serde_json::from_slice(&again).expect("and is JSON");
    assert_eq!(again, value);
    client_frame_json(&json)
}

/// A payload of the queue: a batch or refused, and a batch that was read is written and read as the same.
fn queue_batch(bytes: &[u8]) -> String {
    match Batch::decode(bytes) {
        Ok(batch) => {
            let written = batch.encode();
            let again = Batch::decode(&written).expect("what we wrote we read");
            assert_eq!(again.encode(), written);
            let kinds: Vec<_> = batch.entries().iter().map(|entry| entry.kind).collect();
            format!("{:?}", &kinds[..kinds.len().min(3)])
        }
        Err(error) => kind(&error.to_string()),
    }
}

/// A token: only the one that the corpus has with a good signature says who it is.
fn token() -> Reader {
    let secret = Secret::new("a secret of at least thirty-two bytes, for fuzzing");
    let settings = Settings { hs256_secret: Some(secret), ..Settings::default() };
    let (verifier, _) = Verifier::new(&settings).expect("the settings are good");
    // A moment at which that one is good.
    let now = UNIX_EPOCH + Duration::from_secs(1_769_860_800);
    Box::new(move |bytes| match verifier.verify_cached(&String::from_utf8_lossy(bytes), now) {
        Ok(claims) => {
            assert_eq!(claims.user_id, "alice", "whoever has not the secret is nobody");
            "good".to_owned()
        }
        Err(error) => kind(&format!("{error:?}")),
    })
}

/// A message without what differs from input to input: the numbers in it, and what it quotes.
fn kind(message: &str) -> String {
    let unquoted = message.split(['`', '"', '\'']).step_by(2).flat_map(str::chars);
    unquoted.filter(|letter| !letter.is_ascii_digit()).take(80).collect()
}
