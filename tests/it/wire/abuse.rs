//! Clients that mean no good: memory stays bounded and others are served.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::support::client::{Client, SOON, Upgrade, token};
use crate::support::deflating::bytes as frame;
use crate::support::server::Server;
use crate::support::world::World;

const UPGRADE: &str = "GET /v1/ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                       sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A socket whose bytes we write ourselves, upgraded.
async fn upgraded(at: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(UPGRADE.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    stream
}

/// Reads to the end of the stream; answers the close code that came before it, if one did.
async fn close_code(stream: &mut TcpStream) -> Option<u16> {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(SOON, stream.read_to_end(&mut bytes)).await.expect("it ends in time");
    // A reset is an end too.
    let _ = read;
    let at = bytes.windows(2).rposition(|pair| pair[0] == 0x88 && (2..126).contains(&pair[1]))?;
    Some(u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?]))
}

/// Two people talk, and it does not take long.
pub(super) async fn others_are_served(at: SocketAddr) {
    let talk = async {
        let (mut bob, _) = Client::login(at, "bob").await;
        let (mut carol, _) = Client::login(at, "carol").await;
        let text = uuid::Uuid::new_v4().to_string();
        bob.say_to("carol", &text).await;
        carol.message(&text).await;
    };
    tokio::time::timeout(SOON, talk).await.expect("others are served in time");
}

/// Resident memory of the server, in KiB.
pub(super) fn memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Waits until no socket is left open.
async fn nobody_is_left(server: &Server) {
    let deadline = Instant::now() + SOON;
    while server.metric("tidings_connections").await > 0.0 {
        assert!(Instant::now() < deadline, "sockets are left");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn thousands_of_sockets_that_never_say_hello_are_closed_and_cost_little() {
    let world = World::dev(&[("gateway__hello_timeout", "4s"), ("server__header_timeout", "4s")]).await;
    let before = memory(&world.servers[0]);
    let mut silent = Vec::new();
    for n in 0..3000 {
        // Some say nothing at all, some stop after the upgrade.
        if n % 3 == 0 {
            silent.push(TcpStream::connect(world.here).await.unwrap());
        } else {
            silent.push(upgraded(world.here).await);
        }
    }
    others_are_served(world.here).await;
    let grown = memory(&world.servers[0]).saturating_sub(before);
    assert!(grown < 3000 * 64, "{grown} KiB for 3,000 silent sockets");
    nobody_is_left(&world.servers[0]).await;
    let mut codes = Vec::new();
    for stream in silent.iter_mut().skip(1).step_by(300) {
        codes.push(close_code(stream).await);
    }
    assert!(codes.iter().all(|code| matches!(code, None | Some(4408))), "{codes:?}");
    assert!(codes.contains(&Some(4408)), "{codes:?}");
}

#[tokio::test]
async fn the_time_for_hello_begins_with_the_connection_and_not_with_the_upgrade() {
    let world = World::dev(&[("gateway__hello_timeout", "3s"), ("gateway__close_timeout", "200ms")]).await;
    let began = Instant::now();
    let mut stream = TcpStream::connect(world.here).await.unwrap();
    let (first, rest) = UPGRADE.split_at(30);
    stream.write_all(first.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    stream.write_all(rest.as_bytes()).await.unwrap();
    assert_eq!(close_code(&mut stream).await, Some(4408));
    assert!(began.elapsed() < Duration::from_millis(4500), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_unfinished_frame_is_waited_for_no_longer_than_a_silent_client() {
    let settings = [
        ("gateway__hello_timeout", "500ms"),
        ("gateway__heartbeat", "1s"),
        ("gateway__heartbeat_grace", "1s"),
    ];
    let world = World::dev(&settings).await;
    let mut stream = upgraded(world.here).await;
    let hello = json!({"type": "hello", "token": token("mallory")}).to_string();
    stream.write_all(&frame(0x81, hello.as_bytes())).await.unwrap();
    // A frame of 60,000 bytes of which ten come.
    stream.write_all(&frame(0x81, &[b'x'; 60_000])[..18]).await.unwrap();
    assert_eq!(close_code(&mut stream).await, Some(1001));
    others_are_served(world.here).await;
}

#[tokio::test]
async fn fragments_without_end_are_too_large_or_too_many() {
    let world = World::dev(&[("gateway__frames_per_second", "100")]).await;
    let hello = json!({"type": "hello", "token": token("mallory")}).to_string();
    let mut stream = upgraded(world.here).await;
    stream.write_all(&frame(0x81, hello.as_bytes())).await.unwrap();
    stream.write_all(&frame(0x01, b"{")).await.unwrap();
    for _ in 0..100 {
        // It may be closed meanwhile.
        if stream.write_all(&frame(0x00, &[b' '; 1000])).await.is_err() {
            break;
        }
    }
    assert_eq!(close_code(&mut stream).await, Some(1009));
    others_are_served(world.here).await;
}

#[tokio::test]
async fn empty_fragments_without_end_cost_no_memory_and_others_are_served() {
    let settings = [
        ("gateway__hello_timeout", "500ms"),
        ("gateway__heartbeat", "1s"),
        ("gateway__heartbeat_grace", "1s"),
    ];
    let world = World::dev(&settings).await;
    let hello = json!({"type": "hello", "token": token("mallory")}).to_string();
    let mut stream = upgraded(world.here).await;
    stream.write_all(&frame(0x81, hello.as_bytes())).await.unwrap();
    stream.write_all(&frame(0x01, b"")).await.unwrap();
    let before = memory(&world.servers[0]);
    // So many that the server always finds more to read.
    let many = frame(0x00, b"").repeat(100_000);
    let (mut reads, mut writes) = stream.into_split();
    let flood = tokio::spawn(async move { while writes.write_all(&many).await.is_ok() {} });
    others_are_served(world.here).await;
    let grown = memory(&world.servers[0]).saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB");
    // No message came of it for as long as a silent client is waited for.
    let mut bytes = Vec::new();
    let end = tokio::time::timeout(SOON, reads.read_to_end(&mut bytes));
    let _ = end.await.expect("it is closed in time");
    flood.abort();
}

#[tokio::test]
async fn close_1002_answers_garbage_instead_of_frames_and_no_other_socket_closes() {
    let world = World::dev(&[]).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    for garbage in [&[0xff; 64][..], &[0x81, 0x05, b'h', b'e', b'l', b'l', b'o'], &[0x83, 0x80, 0, 0, 0, 0]] {
        let mut stream = upgraded(world.here).await;
        stream.write_all(garbage).await.unwrap();
        assert_eq!(close_code(&mut stream).await, Some(1002), "{garbage:x?}");
    }
    alice.say_to("bob", "still here").await;
}

#[tokio::test]
async fn close_1007_answers_text_that_is_not_utf_8() {
    let world = World::dev(&[]).await;
    let mut stream = upgraded(world.here).await;
    stream.write_all(&frame(0x81, b"\xff\xfe")).await.unwrap();
    assert_eq!(close_code(&mut stream).await, Some(1007));
}

#[tokio::test]
async fn frames_that_nest_without_end_are_bad_requests() {
    let world = World::dev(&[]).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let deep = "[".repeat(30_000);
    for text in [
        deep.clone(),
        format!(r#"{{"type":"send","to":"bob","client_id":"{}","data":{deep}"#, uuid::Uuid::new_v4()),
    ] {
        alice.raw(Message::text(text)).await;
        assert_eq!(alice.error().await["code"], "bad_request");
    }
    let upgrade = Upgrade { subprotocol: Some("tidings.v1.msgpack"), ..Upgrade::default() };
    let mut packed = Client::open(world.here, upgrade).await.unwrap();
    let hello = json!({"type": "hello", "token": token("bob")});
    packed.raw(Message::binary(rmp_serde::to_vec_named(&hello).unwrap())).await;
    packed.expect("sync").await;
    packed.raw(Message::binary(vec![0x91; 30_000])).await;
    assert_eq!(packed.error().await["code"], "bad_request");
    alice.say_to("bob", "still here").await;
}

#[tokio::test]
async fn a_flood_of_bad_frames_is_cut_off_and_others_are_served() {
    let world = World::dev(&[]).await;
    for _ in 0..20 {
        let (mut mallory, _) = Client::login(world.here, "mallory").await;
        for _ in 0..5000 {
            if mallory.try_raw(Message::text("garbage")).await.is_err() {
                break;
            }
        }
        assert!(matches!(mallory.closed().await, 4400 | 4429 | 1006));
    }
    others_are_served(world.here).await;
}
