//! A client that speaks `permessage-deflate`, frame by frame.

use std::net::SocketAddr;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::{SOON, token};

pub const FIN: u8 = 0x80;
pub const RSV1: u8 = 0x40;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CONTINUATION: u8 = 0;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;
/// As browsers offer it.
pub const OFFER: &str = "permessage-deflate; client_max_window_bits";

pub struct Deflating {
    pub stream: TcpStream,
    /// What the server answered to the offer.
    pub agreed: Option<String>,
    /// Length on the wire and inflated of the last data frame, and whether it came deflated.
    pub last: (usize, usize, bool),
}

/// A frame as it is on the wire.
pub struct Frame {
    pub first: u8,
    pub payload: Vec<u8>,
}

impl Deflating {
    pub async fn open(at: SocketAddr, offer: Option<&str>, subprotocol: &str) -> Self {
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let offer = offer.map(|offer| format!("sec-websocket-extensions: {offer}\r\n")).unwrap_or_default();
        let request = format!(
            "GET /v1/ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: {subprotocol}\r\n{offer}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        let agreed = head.lines().find_map(|line| line.strip_prefix("sec-websocket-extensions: "));
        Self { agreed: agreed.map(str::to_owned), stream, last: (0, 0, false) }
    }

    /// Opens with the offer of a browser, which is taken, and logs in, in JSON.
    pub async fn login(at: SocketAddr, user: &str) -> Self {
        let client = Self::login_anyhow(at, user).await;
        assert!(client.agreed.is_some());
        client
    }

    /// As [`Self::login`], whatever becomes of the offer.
    pub async fn login_anyhow(at: SocketAddr, user: &str) -> Self {
        let mut client = Self::open(at, Some(OFFER), "tidings.v1.json").await;
        let hello = json!({"type": "hello", "token": token(user)});
        if client.agreed.is_some() {
            client.send(&hello).await;
        } else {
            client.write(FIN | TEXT, hello.to_string().as_bytes()).await;
        }
        client.expect("welcome").await;
        client.expect("sync").await;
        client
    }

    /// A deflated frame of JSON.
    pub async fn send(&mut self, frame: &Value) {
        self.write(FIN | RSV1 | TEXT, &deflated(frame.to_string().as_bytes())).await;
    }

    pub async fn write(&mut self, first: u8, payload: &[u8]) {
        self.stream.write_all(&bytes(first, payload)).await.unwrap();
    }

    /// The next frame; `None` at the end of the stream.
    pub async fn frame(&mut self) -> Option<Frame> {
        let read = async {
            let first = self.stream.read_u8().await.ok()?;
            let length = match self.stream.read_u8().await.ok()? {
                126 => self.stream.read_u16().await.ok()?.into(),
                127 => self.stream.read_u64().await.ok()?,
                short => short.into(),
            };
            let mut payload = vec![0; length as usize];
            self.stream.read_exact(&mut payload).await.ok()?;
            Some(Frame { first, payload })
        };
        tokio::time::timeout(SOON, read).await.expect("something comes in time")
    }

    /// The next message; control frames on the way are dropped.
    pub async fn next(&mut self) -> Result<Value, Option<u16>> {
        loop {
            let Some(frame) = self.frame().await else { return Err(None) };
            match frame.first & 0x0f {
                CLOSE => return Err(Some(u16::from_be_bytes([frame.payload[0], frame.payload[1]]))),
                TEXT | BINARY => return Ok(self.decoded(frame)),
                _ => {}
            }
        }
    }

    fn decoded(&mut self, frame: Frame) -> Value {
        let wire = frame.payload.len();
        let deflated = frame.first & RSV1 != 0;
        assert_eq!(frame.first & !RSV1 & !0x0f, FIN, "the server writes whole messages");
        let plain = if deflated { inflated(&frame.payload) } else { frame.payload };
        self.last = (wire, plain.len(), deflated);
        if frame.first & 0x0f == TEXT {
            serde_json::from_slice(&plain).expect("JSON")
        } else {
            rmp_serde::from_slice(&plain).expect("MessagePack")
        }
    }

    /// The next message of this type; others are dropped.
    pub async fn expect(&mut self, kind: &str) -> Value {
        self.find(|frame| frame["type"] == kind, kind).await
    }

    pub async fn find(&mut self, fits: impl Fn(&Value) -> bool, what: &str) -> Value {
        loop {
            match self.next().await {
                Ok(frame) if fits(&frame) => return frame,
                Ok(_) => {}
                Err(code) => panic!("closed ({code:?}) while waiting for {what}"),
            }
        }
    }

    /// Reads to the close; answers its code.
    pub async fn closed(&mut self) -> Option<u16> {
        loop {
            if let Err(code) = self.next().await {
                return code;
            }
        }
    }
}

/// A masked frame.
pub fn bytes(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..126 => bytes.push(0x80 | short as u8),
        middle @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    let mask: [u8; 4] = rand::random();
    bytes.extend_from_slice(&mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// One message by a compressor of its own.
pub fn deflated(plain: &[u8]) -> Vec<u8> {
    let mut into = Vec::with_capacity(plain.len() + 64);
    let mut compress = Compress::new(Compression::default(), false);
    compress.compress_vec(plain, &mut into, FlushCompress::Sync).unwrap();
    assert_eq!(compress.total_in() as usize, plain.len());
    assert_eq!(into.split_off(into.len() - 4), [0, 0, 0xff, 0xff]);
    into
}

fn inflated(payload: &[u8]) -> Vec<u8> {
    let mut into = Vec::with_capacity(512 * 1024);
    let bytes = [payload, &[0, 0, 0xff, 0xff]].concat();
    let mut decompress = Decompress::new(false);
    decompress.decompress_vec(&bytes, &mut into, FlushDecompress::Sync).expect("deflated data");
    assert_eq!(decompress.total_in() as usize, bytes.len());
    into
}
