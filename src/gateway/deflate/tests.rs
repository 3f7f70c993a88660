//! The layer between a stream that takes and gives what it likes and both ends that speak frames.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use axum::http::{HeaderMap, HeaderValue, header};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
use tungstenite::{Error, Message, Utf8Bytes};

use super::*;

const LIMIT: usize = 20_000;
const THRESHOLD: usize = 100;

/// A stream in memory that is sometimes not ready, and takes and gives pieces of chance.
struct Wire {
    chance: StdRng,
    incoming: VecDeque<u8>,
    outgoing: Vec<u8>,
}

impl Wire {
    fn piece(&mut self, most: usize) -> Poll<usize> {
        let longest = if self.chance.random_bool(0.5) { 9 } else { 3000 };
        match self.chance.random_range(0..4) {
            0 => Poll::Pending,
            _ => Poll::Ready(self.chance.random_range(1..=longest).min(most)),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let most = self.incoming.len().min(buffer.remaining());
        if most == 0 {
            return Poll::Pending;
        }
        let count = std::task::ready!(self.piece(most));
        let bytes: Vec<u8> = self.incoming.drain(..count).collect();
        buffer.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let count = std::task::ready!(self.piece(bytes.len()));
        self.outgoing.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// As the library has streams.
struct Blocking(Deflating<Wire>);

fn blocking<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl io::Read for Blocking {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(into);
        let poll = Pin::new(&mut self.0).poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer);
        blocking(poll).map(|()| buffer.filled().len())
    }
}

impl io::Write for Blocking {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        blocking(Pin::new(&mut self.0).poll_write(&mut Context::from_waker(Waker::noop()), bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        blocking(Pin::new(&mut self.0).poll_flush(&mut Context::from_waker(Waker::noop())))
    }
}

/// The server's end, with the layer on.
fn server(seed: u64) -> WebSocket<Blocking> {
    let wire = Wire { chance: StdRng::seed_from_u64(seed), incoming: VecDeque::new(), outgoing: Vec::new() };
    let mut headers = HeaderMap::new();
    let offer = HeaderValue::from_static("permessage-deflate; client_max_window_bits");
    headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, offer);
    let switch = Switch::default();
    assert!(switch.agree(&headers).is_some());
    switch.upgraded();
    let settings = Compression { threshold: THRESHOLD, limit: LIMIT };
    let stream = Deflating::new(wire, Some((switch, settings)));
    let config = WebSocketConfig::default()
        .read_buffer_size(512)
        .write_buffer_size(1000)
        .max_frame_size(Some(LIMIT))
        .max_message_size(Some(LIMIT));
    WebSocket::from_raw_socket(Blocking(stream), Role::Server, Some(config))
}

fn wire(server: &mut WebSocket<Blocking>) -> &mut Wire {
    &mut server.get_mut().0.stream
}

/// A client's frame with a mask of chance.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Head::write(first, MASKED, payload.len(), &mut bytes);
    let mask: [u8; 4] = rand::random();
    bytes.extend_from_slice(&mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

fn deflated(plain: &[u8]) -> Vec<u8> {
    deflate(plain, 15, <[u8]>::to_vec).expect("it becomes smaller")
}

/// What comes of some bytes: messages until there are no more, or the error's code.
fn read(server: &mut WebSocket<Blocking>, bytes: &[u8]) -> (Vec<Message>, Option<CloseCode>) {
    wire(server).incoming.extend(bytes);
    let mut messages = Vec::new();
    let mut idle = 0;
    while idle < 50 {
        match server.read() {
            Ok(message) => messages.push(message),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => idle += 1,
            Err(error) => return (messages, crate::gateway::failure(axum::Error::new(error))),
        }
    }
    (messages, None)
}

fn text(chance: &mut StdRng, length: usize) -> String {
    let words =
        ["where ", "are ", "you? ", "at ", "the ", "station, ", "zehn ", "Minuten ", "später ", "👍 "];
    let mut text = String::new();
    while text.len() < length {
        text.push_str(words[chance.random_range(0..words.len())]);
    }
    text
}

/// A message as a client may send it: deflated or not, in pieces, with pings between them.
fn sent(chance: &mut StdRng, message: &Message, pings: &mut Vec<Message>) -> Vec<u8> {
    let opcode = if message.is_text() { TEXT } else { BINARY };
    let plain = message.clone().into_data();
    let small = deflate(&plain, 15, <[u8]>::to_vec).filter(|_| chance.random_bool(0.7));
    let (payload, reserved) = small.map_or((plain.to_vec(), 0), |small| (small, RSV1));
    let mut bytes = Vec::new();
    let mut rest = &payload[..];
    let mut first = opcode | reserved;
    while chance.random_bool(0.6) {
        let (piece, after) = rest.split_at(chance.random_range(0..=rest.len()));
        bytes.extend(frame(first, piece));
        rest = after;
        first = CONTINUATION;
        if chance.random_bool(0.3) {
            let ping: Vec<u8> = (0..chance.random_range(0..=125)).map(|_| chance.random()).collect();
            bytes.extend(frame(FIN | 9, &ping));
            pings.push(Message::Ping(ping.into()));
        }
    }
    bytes.extend(frame(FIN | first, rest));
    bytes
}

fn message(chance: &mut StdRng) -> Message {
    let longest = if chance.random_bool(0.8) { 400 } else { LIMIT - 100 };
    let length = chance.random_range(0..longest);
    match chance.random_range(0..3) {
        0 => Message::binary((0..length).map(|_| chance.random()).collect::<Vec<u8>>()),
        1 => Message::binary(text(chance, length).into_bytes()),
        _ => Message::text(text(chance, length)),
    }
}

#[test]
fn whatever_the_pieces_the_server_reads_what_the_client_sent() {
    for seed in 0..300 {
        let mut chance = StdRng::seed_from_u64(seed);
        let mut server = server(seed);
        let (mut bytes, mut pings) = (Vec::new(), Vec::new());
        let messages: Vec<Message> = (0..chance.random_range(1..20)).map(|_| message(&mut chance)).collect();
        for message in &messages {
            bytes.extend(sent(&mut chance, message, &mut pings));
        }
        let (read, error) = read(&mut server, &bytes);
        let (control, data): (Vec<_>, Vec<_>) = read.into_iter().partition(Message::is_ping);
        assert_eq!((error, data.len(), control.len()), (None, messages.len(), pings.len()), "seed {seed}");
        assert!(data == messages && control == pings, "seed {seed}");
        let codec = server.get_ref().0.layer.as_ref().unwrap().codec.as_ref().unwrap();
        assert_eq!(codec.inbound.held(), 0, "an idle socket holds nothing");
    }
}

#[test]
fn whatever_the_pieces_the_client_reads_what_the_server_sent() {
    let mut smaller = 0;
    for seed in 0..300 {
        let mut chance = StdRng::seed_from_u64(seed);
        let mut server = server(seed);
        let messages: Vec<Message> = (0..chance.random_range(1..20))
            .map(|_| match chance.random_range(0..10) {
                0 => Message::Ping(text(&mut chance, 110).into()),
                _ => message(&mut chance),
            })
            .collect();
        for message in &messages {
            match server.write(message.clone()) {
                Ok(()) => {}
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
        }
        while let Err(error) = server.flush() {
            assert!(
                matches!(&error, Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock),
                "{error}"
            );
        }
        let bytes = std::mem::take(&mut wire(&mut server).outgoing);
        let mut rest = &bytes[..];
        let mut read = Vec::new();
        while let Some(head) = Head::parse(rest) {
            let (frame, after) = rest.split_at(head.length + head.payload as usize);
            let mut payload = frame[head.length..].to_vec();
            if head.first & RSV1 != 0 {
                let mut plain = Vec::new();
                inflate(&payload, LIMIT, &mut plain).unwrap();
                assert!(plain.len() > payload.len() && plain.len() >= THRESHOLD);
                smaller += plain.len() - payload.len();
                payload = plain;
            }
            read.push(match head.opcode() {
                TEXT => Message::Text(Utf8Bytes::try_from(payload).unwrap()),
                BINARY => Message::binary(payload),
                _ => Message::Ping(payload.into()),
            });
            rest = after;
        }
        assert!(read == messages && rest.is_empty(), "seed {seed}");
        let codec = server.get_ref().0.layer.as_ref().unwrap().codec.as_ref().unwrap();
        assert_eq!(codec.outbound.held(), 0, "an idle socket holds nothing");
    }
    assert!(smaller > 100_000, "{smaller}");
}

#[test]
fn frames_that_come_in_pieces_from_the_library_s_side_leave_whole() {
    for seed in 0..200 {
        let mut chance = StdRng::seed_from_u64(seed);
        let mut server = server(seed);
        let stream = &mut server.get_mut().0;
        let (mut bytes, mut texts) = (Vec::new(), Vec::new());
        for _ in 0..10 {
            let length = chance.random_range(0..500);
            let text = text(&mut chance, length);
            Head::write(FIN | TEXT, 0, text.len(), &mut bytes);
            bytes.extend_from_slice(text.as_bytes());
            texts.push(text);
        }
        let mut cx = Context::from_waker(Waker::noop());
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let piece = &rest[..chance.random_range(1..=rest.len().min(400))];
            if let Poll::Ready(count) = Pin::new(&mut *stream).poll_write(&mut cx, piece) {
                rest = &rest[count.unwrap()..];
            }
        }
        while Pin::new(&mut *stream).poll_shutdown(&mut cx).is_pending() {}
        let mut rest = &stream.stream.outgoing[..];
        for text in texts {
            let head = Head::parse(rest).unwrap();
            let (frame, after) = rest.split_at(head.length + head.payload as usize);
            let mut plain = frame[head.length..].to_vec();
            if text.len() >= THRESHOLD {
                assert_eq!(head.first, FIN | TEXT | RSV1);
                plain.clear();
                inflate(&frame[head.length..], LIMIT, &mut plain).unwrap();
            }
            assert_eq!(String::from_utf8(plain).unwrap(), text, "seed {seed}");
            rest = after;
        }
        assert!(rest.is_empty());
    }
}

#[test]
fn what_rfc_7692_does_not_allow_fails_the_connection() {
    let small = deflated(&[b'x'; 200]);
    let begin = frame(RSV1 | TEXT, &small[..2]);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("RSV1 on a ping", frame(FIN | RSV1 | 9, b"")),
        ("RSV1 on a ping in between", [begin.clone(), frame(FIN | RSV1 | 9, b"")].concat()),
        ("RSV1 on a continuation", [begin.clone(), frame(FIN | RSV1, &small[2..])].concat()),
        (
            "RSV1 on the continuation of a plain message",
            [frame(TEXT, b"x"), frame(FIN | RSV1, b"y")].concat(),
        ),
        ("RSV1 on a continuation of nothing", frame(FIN | RSV1, &small)),
        ("RSV2", frame(FIN | 0x20 | TEXT, b"x")),
        ("RSV1 and RSV3", frame(FIN | RSV1 | 0x10 | TEXT, &small)),
        ("RSV2 in between", [begin.clone(), frame(FIN | 0x20, &small[2..])].concat()),
        ("another message in between", [begin.clone(), frame(FIN | TEXT, b"x")].concat()),
        ("another deflated message in between", [begin, frame(FIN | RSV1 | TEXT, &small)].concat()),
        (
            "a deflated message within a plain one",
            [frame(TEXT, b"x"), frame(FIN | RSV1 | TEXT, &small)].concat(),
        ),
        ("no mask", {
            let mut bytes = Vec::new();
            Head::write(FIN | RSV1 | TEXT, 0, small.len(), &mut bytes);
            [bytes, small].concat()
        }),
        ("an unknown opcode", frame(FIN | RSV1 | 3, b"x")),
    ];
    for (what, bytes) in cases {
        for seed in 0..10 {
            let before = frame(FIN | RSV1 | TEXT, &deflated(&[b'a'; 300]));
            let (messages, code) = read(&mut server(seed), &[before, bytes.clone()].concat());
            // What came before is not lost.
            let before = Message::text("a".repeat(300));
            assert_eq!((messages, code), (vec![before], Some(CloseCode::Protocol)), "{what}");
        }
    }
}

#[test]
fn rubbish_is_invalid_data_and_text_has_to_be_text() {
    let rubbish = frame(FIN | RSV1 | BINARY, &[0xff; 40]);
    assert_eq!(read(&mut server(1), &rubbish), (Vec::new(), Some(CloseCode::InvalidText)));
    let no_text = frame(FIN | RSV1 | TEXT, &deflated(&[0xff; 200]));
    assert_eq!(read(&mut server(1), &no_text), (Vec::new(), Some(CloseCode::InvalidText)));
}

#[test]
fn the_limit_is_on_what_is_inflated_across_fragments() {
    let pieces = |length: usize| {
        let small = deflated(&vec![b'x'; length]);
        let (one, two) = small.split_at(small.len() / 2);
        [frame(RSV1 | BINARY, one), frame(CONTINUATION, &[]), frame(FIN, two)].concat()
    };
    let (messages, code) = read(&mut server(1), &pieces(LIMIT));
    assert_eq!((messages, code), (vec![Message::binary(vec![b'x'; LIMIT])], None));
    for too_large in [LIMIT + 1, 5_000_000] {
        assert_eq!(read(&mut server(1), &pieces(too_large)), (Vec::new(), Some(CloseCode::TooLarge)));
    }
}

#[test]
fn a_deflated_message_that_never_ends_is_not_kept_for_ever() {
    let mut server = server(1);
    let piece = frame(CONTINUATION, &[0, 0, 0, 0xff, 0xff].repeat(100));
    let mut bytes = frame(RSV1 | TEXT, &[]);
    for _ in 0..100 {
        bytes.extend_from_slice(&piece);
    }
    assert_eq!(read(&mut server, &bytes), (Vec::new(), Some(CloseCode::TooLarge)));
    // Nor is a length believed that nobody may send.
    let mut bytes = vec![FIN | RSV1 | TEXT, MASKED | 127];
    bytes.extend_from_slice(&u64::MAX.to_be_bytes());
    bytes.extend_from_slice(&[0; 4]);
    assert_eq!(read(&mut super::tests::server(1), &bytes), (Vec::new(), Some(CloseCode::TooLarge)));
}

#[test]
fn nothing_is_touched_before_an_offer_is_taken() {
    let switch = Switch::default();
    switch.upgraded();
    assert!(!switch.reads_frames() && switch.writes_frames().is_none());
    assert!(switch.agree(&HeaderMap::new()).is_none() && !switch.reads_frames());
    println!("layer {}, codec {}", size_of::<Option<Layer>>(), size_of::<Codec>());
    assert!(size_of::<Option<Layer>>() <= 32 && size_of::<Codec>() <= 320);
}
