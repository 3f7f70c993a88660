//! `permessage-deflate` (RFC 7692) as a layer between the stream and the WebSocket library, which knows nothing of it.
//!
//! The upgrade's handler takes an offer and turns the layer on by its [`Switch`]. From then on what the client sends is frames: a deflated
//! message becomes one plain frame before the library sees it. Once the library has the stream, what it writes is frames too, and long
//! ones leave deflated. Nothing is remembered from one message to the next on either side, so an idle socket keeps no compressor.

mod codec;
mod inbound;
mod offer;
mod outbound;
#[cfg(test)]
mod tests;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};

use axum::http::{HeaderMap, HeaderValue};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::inbound::Inbound;
use self::outbound::Outbound;
use crate::protocol::CloseCode;

pub use self::codec::{deflate, inflate};

/// How messages are compressed, the same for every socket of a process.
#[derive(Debug, Clone, Copy)]
pub struct Compression {
    /// Shorter messages leave as they are.
    pub threshold: usize,
    /// The longest message of a client, inflated.
    pub limit: usize,
}

/// What is wrong with what a client sent, as the layer sees it; the library is told by an error of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    #[error("frames that RFC 7692 does not allow")]
    Protocol,
    #[error("not deflated data")]
    Data,
    #[error("a message that is too large when inflated")]
    TooLarge,
}

impl Bad {
    pub const fn code(self) -> CloseCode {
        match self {
            Self::Protocol => CloseCode::Protocol,
            Self::Data => CloseCode::InvalidText,
            Self::TooLarge => CloseCode::TooLarge,
        }
    }

    /// The one that is in an error of the stream, if one is.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl From<Bad> for io::Error {
    fn from(bad: Bad) -> Self {
        Self::new(io::ErrorKind::InvalidData, bad)
    }
}

/// Turns a connection's layer on; shared between the stream and the handler of the upgrade.
///
/// 0 is off, otherwise it has the window's bits, and [`FRAMES`] once everything that is written is frames.
#[derive(Debug, Clone, Default)]
pub struct Switch(Arc<AtomicU8>);

const FRAMES: u8 = 0x80;

impl Switch {
    /// Takes the first offer that can be met: the answer to it, with which the upgrade has to be answered. What is read from here on is frames.
    pub fn agree(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let (window_bits, answer) = offer::agree(headers)?;
        self.0.store(window_bits, Ordering::Release);
        Some(answer)
    }

    /// The head of the answer is written, and what follows is frames. Nothing happens when no offer was taken.
    pub fn upgraded(&self) {
        if self.0.load(Ordering::Acquire) != 0 {
            self.0.fetch_or(FRAMES, Ordering::Release);
        }
    }

    fn reads_frames(&self) -> bool {
        self.0.load(Ordering::Acquire) != 0
    }

    /// The window's bits once frames are written.
    fn writes_frames(&self) -> Option<u8> {
        let state = self.0.load(Ordering::Acquire);
        (state & FRAMES != 0).then_some(state & !FRAMES)
    }
}

/// A stream that compresses when its switch is on.
pub struct Deflating<S> {
    stream: S,
    /// `None` when the operator did not switch compression on.
    layer: Option<Layer>,
}

struct Layer {
    switch: Switch,
    settings: Compression,
    /// What only a socket has whose client offered it.
    codec: Option<Box<Codec>>,
}

#[derive(Default)]
struct Codec {
    inbound: Inbound,
    outbound: Outbound,
}

impl<S> Deflating<S> {
    pub fn new(stream: S, compression: Option<(Switch, Compression)>) -> Self {
        let layer = compression.map(|(switch, settings)| Layer { switch, settings, codec: None });
        Self { stream, layer }
    }
}

impl<S: AsyncWrite + Unpin> Deflating<S> {
    /// The stream, once everything that was taken is written to it.
    fn poll_drained(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut S>>> {
        let Self { stream, layer } = self;
        let mut stream = Pin::new(stream);
        if let Some(codec) = layer.as_mut().and_then(|layer| layer.codec.as_mut()) {
            ready!(codec.outbound.poll_drain(stream.as_mut(), cx))?;
        }
        Poll::Ready(Ok(stream))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Deflating<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stream, layer } = self.get_mut();
        let stream = Pin::new(stream);
        match layer {
            Some(layer) if layer.codec.is_some() || layer.switch.reads_frames() => {
                let inbound = &mut layer.codec.get_or_insert_default().inbound;
                inbound.poll_read(stream, cx, buffer, layer.settings.limit)
            }
            _ => stream.poll_read(cx, buffer),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Deflating<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { stream, layer } = self.get_mut();
        let stream = Pin::new(stream);
        if let Some(layer) = layer
            && let Some(window_bits) = layer.switch.writes_frames()
        {
            let outbound = &mut layer.codec.get_or_insert_default().outbound;
            return outbound.poll_write(stream, cx, bytes, layer.settings.threshold, window_bits);
        }
        stream.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.get_mut().poll_drained(cx))?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.get_mut().poll_drained(cx))?.poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.layer.as_ref().is_some_and(|layer| layer.switch.writes_frames().is_some()) {
            let first = slices.iter().find(|slice| !slice.is_empty());
            return self.poll_write(cx, first.map_or(&[][..], |slice| slice));
        }
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// The head of a frame.
struct Head {
    /// FIN, the reserved bits and the opcode.
    first: u8,
    mask: Option<[u8; 4]>,
    /// Bytes of the head and of the payload.
    length: usize,
    payload: u64,
}

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const RSV1: u8 = 0x40;
const OPCODE: u8 = 0x0f;
const CONTROL: u8 = 0x08;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const MASKED: u8 = 0x80;
const LONGEST_HEAD: usize = 14;

impl Head {
    /// `None` when more bytes are needed.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (&first, rest) = bytes.split_first()?;
        let (&second, rest) = rest.split_first()?;
        let (payload, rest) = match second & !MASKED {
            126 => rest.split_first_chunk().map(|(size, rest)| (u16::from_be_bytes(*size).into(), rest))?,
            127 => rest.split_first_chunk().map(|(size, rest)| (u64::from_be_bytes(*size), rest))?,
            short => (short.into(), rest),
        };
        let (mask, rest) = if second & MASKED == 0 {
            (None, rest)
        } else {
            rest.split_first_chunk().map(|(mask, rest)| (Some(*mask), rest))?
        };
        Some(Self { first, mask, length: bytes.len() - rest.len(), payload })
    }

    /// Writes the head of a frame with such a first byte; `mask` is [`MASKED`] or 0, and the mask itself is not written.
    fn write(first: u8, mask: u8, payload: usize, into: &mut Vec<u8>) {
        into.push(first);
        match payload {
            short @ 0..126 => into.push(mask | short as u8),
            middle @ 126..=0xffff => {
                into.push(mask | 126);
                into.extend_from_slice(&(middle as u16).to_be_bytes());
            }
            long => {
                into.push(mask | 127);
                into.extend_from_slice(&(long as u64).to_be_bytes());
            }
        }
    }

    fn is_control(&self) -> bool {
        self.first & CONTROL != 0
    }

    fn opcode(&self) -> u8 {
        self.first & OPCODE
    }
}
