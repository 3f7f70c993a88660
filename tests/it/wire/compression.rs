//! `permessage-deflate`, as a client meets it.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::abuse::{memory, others_are_served};
use crate::support::client::{Client, SOON, token};
use crate::support::deflating::{
    BINARY, CONTINUATION, Deflating, FIN, OFFER, PING, PONG, RSV1, TEXT, bytes, deflated,
};
use crate::support::world::World;

const JSON: &str = "tidings.v1.json";
const AGREED: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

async fn compressing(more: &[(&str, &str)]) -> World {
    World::dev(&[&[("gateway__compression", "true")], more].concat()).await
}

fn send(user: &str, text: &str) -> Value {
    json!({"type": "send", "to": user, "client_id": uuid::Uuid::new_v4(), "text": text})
}

/// Words in an order of chance, so that it does not vanish altogether.
fn talk(seed: u64, length: usize) -> String {
    let words = ["where", "are", "you", "at", "the", "station", "zehn", "Minuten", "später", "👍", "ok"];
    let mut chance = StdRng::seed_from_u64(seed);
    let mut text = String::new();
    while text.len() < length {
        text.push_str(words[chance.random_range(0..words.len())]);
        text.push(' ');
    }
    while text.len() > length {
        text.pop();
    }
    text
}

#[tokio::test]
async fn nothing_is_compressed_unless_the_operator_and_the_client_want_it() {
    let off = World::dev(&[]).await;
    let mut alice = Deflating::open(off.here, Some(OFFER), JSON).await;
    assert_eq!(alice.agreed, None);
    // Then a deflated frame is no frame.
    alice.send(&json!({"type": "hello", "token": token("alice")})).await;
    assert_eq!(alice.closed().await, Some(1002));

    let on = compressing(&[]).await;
    let (mut bob, _) = Client::login(on.here, "bob").await;
    let mut alice = Deflating::login(on.here, "alice").await;
    let text = talk(1, 8000);
    alice.send(&send("bob", &text)).await;
    bob.message(&text).await;
    let mut plain = Deflating::open(on.here, None, JSON).await;
    assert_eq!(plain.agreed, None);
    let hello = json!({"type": "hello", "token": token("alice")}).to_string();
    plain.write(FIN | TEXT, hello.as_bytes()).await;
    plain.expect("sync").await;
    bob.say_to("alice", &text).await;
    plain.find(|frame| frame["text"] == text.as_str(), "the text").await;
    assert!(!plain.last.2 && plain.last.0 > 8000);
}

#[tokio::test]
async fn the_first_offer_that_can_be_met_is_taken() {
    let world = compressing(&[]).await;
    let with = |more: &str| Some(format!("{AGREED}{more}"));
    for (offer, expected) in [
        ("permessage-deflate", with("")),
        ("permessage-deflate; client_max_window_bits=9; server_no_context_takeover", with("")),
        ("permessage-deflate; server_max_window_bits=10", with("; server_max_window_bits=10")),
        ("permessage-deflate; mystery", None),
        ("permessage-deflate; server_max_window_bits=8", None),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate", with("")),
        ("permessage-deflate; client_no_context_takeover; client_no_context_takeover", None),
    ] {
        assert_eq!(Deflating::open(world.here, Some(offer), JSON).await.agreed, expected, "{offer}");
    }
}

#[tokio::test]
async fn long_texts_arrive_intact_both_ways_and_smaller() {
    for world in [compressing(&[]).await, World::roles(&[("gateway__compression", "true")]).await] {
        let mut alice = Deflating::login(world.here, "alice").await;
        let mut bob = Deflating::login(world.there, "bob").await;
        for (seed, length) in [600, 2000, 8192].into_iter().enumerate() {
            let text = talk(seed as u64, length);
            alice.send(&send("bob", &text)).await;
            bob.find(|frame| frame["text"] == text.as_str(), "the text").await;
            let (wire, plain, was_deflated) = bob.last;
            assert!(was_deflated && wire < plain * 7 / 10, "{wire} of {plain}");
        }
        bob.send(&json!({"type": "history", "conversation_id": conversation(), "limit": 50})).await;
        let history = bob.expect("history").await;
        assert_eq!(history["messages"].as_array().unwrap().len(), 3, "{history}");
        assert!(bob.last.2 && bob.last.0 < bob.last.1 / 2, "{:?}", bob.last);
    }
}

fn conversation() -> String {
    let user = |name| tidings::model::UserId::parse(name).unwrap();
    tidings::model::ConversationId::direct(&user("alice"), &user("bob")).to_string()
}

#[tokio::test]
async fn a_smaller_window_and_message_pack_are_spoken_too() {
    let world = compressing(&[]).await;
    let offer = "permessage-deflate; server_max_window_bits=9";
    let mut alice = Deflating::open(world.here, Some(offer), "tidings.v1.msgpack").await;
    let pack = |frame: Value| deflated(&rmp_serde::to_vec_named(&frame).unwrap());
    alice.write(FIN | RSV1 | BINARY, &pack(json!({"type": "hello", "token": token("alice")}))).await;
    alice.expect("welcome").await;
    let text = talk(7, 8000);
    alice.write(FIN | RSV1 | BINARY, &pack(send("bob", &text))).await;
    alice.find(|frame| frame["text"] == text.as_str(), "the own message").await;
    assert!(alice.last.2 && alice.last.0 < 8000 * 7 / 10, "{:?}", alice.last);
}

#[tokio::test]
async fn frames_from_the_threshold_on_are_compressed_and_shorter_ones_are_not() {
    let world = compressing(&[("gateway__compression_threshold", "2KiB")]).await;
    let mut alice = Deflating::login(world.here, "alice").await;
    for (length, expected) in [(10, false), (1500, false), (2100, true), (8000, true)] {
        let text = "x".repeat(length);
        alice.send(&send("bob", &text)).await;
        alice.find(|frame| frame["text"] == text.as_str(), "the own message").await;
        assert_eq!(alice.last.2, expected, "{length}: {:?}", alice.last);
    }
}

#[tokio::test]
async fn fragments_of_a_deflated_message_may_have_pings_between_them() {
    let world = compressing(&[]).await;
    let mut alice = Deflating::login(world.here, "alice").await;
    let text = talk(3, 5000);
    let payload = deflated(send("bob", &text).to_string().as_bytes());
    let (one, rest) = payload.split_at(7);
    let (two, three) = rest.split_at(rest.len() / 2);
    alice.write(RSV1 | TEXT, one).await;
    alice.write(FIN | PING, b"between").await;
    // The pong comes while the message is not whole.
    let pong = loop {
        let frame = alice.frame().await.unwrap();
        if frame.first & 0x0f == PONG {
            break frame;
        }
    };
    assert_eq!(pong.payload, b"between");
    alice.write(CONTINUATION, two).await;
    alice.write(CONTINUATION, b"").await;
    alice.write(FIN | CONTINUATION, three).await;
    alice.find(|frame| frame["text"] == text.as_str(), "the text").await;
}

#[tokio::test]
async fn what_is_no_deflated_message_closes_the_socket_and_nothing_else() {
    let world = compressing(&[]).await;
    let good = deflated(&[b'x'; 500]);
    let cases: [(&str, Vec<u8>, u16); 5] = [
        ("rubbish", bytes(FIN | RSV1 | TEXT, &[0xff; 100]), 1007),
        ("no UTF-8", bytes(FIN | RSV1 | TEXT, &deflated(&[0xfe; 500])), 1007),
        (
            "RSV1 on a continuation",
            [bytes(RSV1 | TEXT, &good[..3]), bytes(FIN | RSV1, &good[3..])].concat(),
            1002,
        ),
        ("RSV1 on a ping", bytes(FIN | RSV1 | PING, b"x"), 1002),
        ("a message within a message", [bytes(RSV1 | TEXT, &good), bytes(FIN | TEXT, b"{}")].concat(), 1002),
    ];
    for (what, frames, code) in cases {
        let mut alice = Deflating::login(world.here, "alice").await;
        alice.stream.write_all(&frames).await.unwrap();
        assert_eq!(alice.closed().await, Some(code), "{what}");
        // Before `hello` it is no different.
        let mut nobody = Deflating::open(world.here, Some(OFFER), JSON).await;
        nobody.stream.write_all(&frames).await.unwrap();
        assert_eq!(nobody.closed().await, Some(code), "{what}, before hello");
    }
    others_are_served(world.here).await;
}

#[tokio::test]
async fn a_bomb_closes_with_1009_and_costs_no_memory() {
    let world = compressing(&[]).await;
    others_are_served(world.here).await;
    let zeros = vec![0; 60_000_000];
    let bomb = deflated(&zeros);
    assert!(bomb.len() < 64 * 1024, "{}", bomb.len());
    let before = memory(&world.servers[0]);
    let mut sockets = Vec::new();
    for _ in 0..30 {
        sockets.push(Deflating::open(world.here, Some(OFFER), JSON).await);
    }
    for socket in &mut sockets {
        // Whole, and in pieces.
        let (one, two) = bomb.split_at(bomb.len() / 2);
        socket.stream.write_all(&[bytes(RSV1 | TEXT, one), bytes(FIN, two)].concat()).await.unwrap();
    }
    for socket in &mut sockets {
        assert_eq!(socket.closed().await, Some(1009));
    }
    let grown = memory(&world.servers[0]).saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB");
    // More than may come, whatever it would be inflated.
    let mut endless = Deflating::open(world.here, Some(OFFER), JSON).await;
    endless.write(RSV1 | TEXT, &[]).await;
    for _ in 0..100 {
        if endless.stream.write_all(&bytes(CONTINUATION, &[0, 0, 0, 0xff, 0xff].repeat(200))).await.is_err() {
            break;
        }
    }
    assert_eq!(endless.closed().await, Some(1009));
    others_are_served(world.here).await;
}

#[tokio::test]
async fn the_limit_is_on_the_inflated_message() {
    let world = compressing(&[]).await;
    let mut alice = Deflating::login(world.here, "alice").await;
    let mut padded = json!({"type": "ping", "ref": "at the limit"}).to_string();
    padded.push_str(&" ".repeat(64 * 1024 - padded.len()));
    alice.write(FIN | RSV1 | TEXT, &deflated(padded.as_bytes())).await;
    assert_eq!(alice.expect("pong").await["ref"], "at the limit");
    padded.push(' ');
    alice.write(FIN | RSV1 | TEXT, &deflated(padded.as_bytes())).await;
    assert_eq!(alice.closed().await, Some(1009));
}

#[tokio::test]
async fn whatever_the_pieces_in_which_it_comes_every_message_is_read() {
    let world =
        compressing(&[("gateway__messages_per_second", "1000"), ("gateway__message_burst", "10000")]).await;
    for seed in 0..8 {
        let mut chance = StdRng::seed_from_u64(seed);
        let mut alice = Deflating::login(world.here, "alice").await;
        let (mut stream, mut texts) = (Vec::new(), Vec::new());
        for n in 0..30 {
            let text = talk(seed * 100 + n, chance.random_range(1..3000));
            let plain = send("bob", &text).to_string();
            texts.push(text);
            let payload =
                if chance.random_bool(0.7) { deflated(plain.as_bytes()) } else { plain.clone().into() };
            let mut first = TEXT | if payload == plain.as_bytes() { 0 } else { RSV1 };
            let mut rest = &payload[..];
            while chance.random_bool(0.4) {
                let (piece, after) = rest.split_at(chance.random_range(0..=rest.len()));
                stream.extend(bytes(first, piece));
                (first, rest) = (CONTINUATION, after);
            }
            stream.extend(bytes(FIN | first, rest));
        }
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let longest = if chance.random_bool(0.3) { 5 } else { 2000 };
            let (piece, after) = rest.split_at(chance.random_range(1..=longest).min(rest.len()));
            alice.stream.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
            rest = after;
        }
        for text in texts {
            alice.find(|frame| frame["type"] == "message" && frame["text"] == text.as_str(), &text).await;
        }
    }
}

#[tokio::test]
async fn close_4508_comes_to_a_slow_reader_and_all_before_it_is_whole() {
    let world = compressing(&[("gateway__outbox_bytes", "512KiB")]).await;
    let mut deaf = Deflating::open(world.here, Some(OFFER), JSON).await;
    deaf.send(&json!({"type": "hello", "token": token("bob")})).await;
    deaf.expect("sync").await;
    let senders = (0..4).map(|number| {
        let here = world.here;
        tokio::spawn(async move {
            let (mut sender, _) = Client::login(here, &format!("sender-{number}")).await;
            for n in 0..450 {
                // Letters of chance: they shrink by a quarter, not more.
                let mut chance = StdRng::seed_from_u64(number * 1000 + n);
                let data: String = (0..14_000).map(|_| char::from(chance.random_range(b'0'..b'p'))).collect();
                let client_id = uuid::Uuid::new_v4();
                sender.send(json!({"type": "send", "to": "bob", "client_id": client_id, "data": data})).await;
                sender.find(|f| f["type"] == "accepted" || f["type"] == "error", "an answer").await;
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    let deadline = Instant::now() + SOON;
    while world.servers[0].metric("tidings_connections_closed_total{reason=\"slow_consumer\"").await < 1.0 {
        assert!(Instant::now() < deadline, "it is still held");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let (mut whole, mut was_deflated) = (0, 0);
    let code = loop {
        match deaf.next().await {
            Ok(frame) if frame["type"] == "message" => {
                assert!(
                    frame["kind"] != "text"
                        || frame["data"].as_str().is_some_and(|data| data.len() == 14_000)
                );
                whole += 1;
                was_deflated += i32::from(deaf.last.2);
            }
            Ok(_) => {}
            Err(code) => break code,
        }
    };
    assert_eq!(code, Some(4508));
    assert!(whole > 20 && was_deflated > whole / 2, "{was_deflated} of {whole}");
}

/// Memory of a socket that has logged in and got a long answer. `TIDINGS_SOCKETS` says how many there are.
async fn memory_of_a_socket(compression: &str) -> u64 {
    let sockets = std::env::var("TIDINGS_SOCKETS").map_or(1000, |number| number.parse().unwrap());
    let settings = [
        ("gateway__compression", compression),
        ("gateway__heartbeat", "120s"),
        ("gateway__sockets_per_user", "10000"),
    ];
    let world = World::dev(&settings).await;
    let (mut bob, _) = Client::login(world.here, "bob").await;
    let text = talk(1, 8000);
    bob.say_to("alice", &text).await;
    bob.message(&text).await;
    let history = json!({"type": "history", "conversation_id": conversation()}).to_string();
    let mut used = Vec::new();
    let mut before = 0;
    for n in 0..sockets + 200 {
        if n == 200 {
            before = memory(&world.servers[0]);
        }
        let mut socket = Deflating::login_anyhow(world.here, "alice").await;
        match &socket.agreed {
            Some(_) => socket.write(FIN | RSV1 | TEXT, &deflated(history.as_bytes())).await,
            None => socket.write(FIN | TEXT, history.as_bytes()).await,
        }
        socket.expect("history").await;
        assert_eq!(socket.last.2, compression == "true");
        used.push(socket);
    }
    memory(&world.servers[0]).saturating_sub(before) * 1024 / sockets
}

#[tokio::test]
async fn an_idle_socket_keeps_no_compressor() {
    let with = memory_of_a_socket("true").await;
    println!("{with} bytes a socket with compression");
    // What a process has is no exact measure: it may even shrink meanwhile. But a compressor has 340 KB, an inflater 50.
    assert!(with < 40_000, "{with} bytes a socket");
    if std::env::var("TIDINGS_SOCKETS").is_ok() {
        println!("{} bytes a socket without", memory_of_a_socket("false").await);
    }
}
