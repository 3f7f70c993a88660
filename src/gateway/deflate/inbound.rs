//! From the client: deflated messages become plain ones, everything else passes.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use super::codec::{inflate, longest_deflated};
use super::{BINARY, Bad, CONTINUATION, FIN, Head, LONGEST_HEAD, MASKED, OPCODE, RESERVED, RSV1, TEXT};

/// What is read at once.
const CHUNK: usize = 4096;
/// A mask that changes nothing: the library wants clients' frames masked.
const NO_MASK: [u8; 4] = [0; 4];

/// Holds at most one deflated message as far as it came, or one inflated message as far as it was not taken, and a chunk.
#[derive(Default)]
pub(super) struct Inbound {
    /// The head of a frame, as far as it came.
    head: [u8; LONGEST_HEAD],
    had: usize,
    payload: Payload,
    /// The first byte of a deflated message that is under way.
    message: Option<u8>,
    /// Its payload so far, unmasked.
    deflated: Vec<u8>,
    /// For the reader.
    ready: Waiting,
    /// From the stream, not looked at.
    unread: Waiting,
    /// Told once what came before was taken; nothing is read any more.
    failed: Option<Bad>,
}

/// What the next bytes are.
enum Payload {
    /// This many of a frame that passes; at 0 a head begins.
    Passes(u64),
    /// This many of a deflated message.
    Deflated { left: u64, mask: [u8; 4], fin: bool },
}

impl Default for Payload {
    fn default() -> Self {
        Self::Passes(0)
    }
}

/// Bytes that go out from the front; no memory while there are none.
#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    taken: usize,
}

impl Waiting {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    fn take(&mut self, count: usize) {
        self.taken += count;
        if self.is_empty() {
            *self = Self::default();
        }
    }
}

impl Inbound {
    /// Bytes of memory beside its own.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.deflated.capacity() + self.ready.bytes.capacity() + self.unread.bytes.capacity()
    }

    pub fn poll_read(
        &mut self,
        mut stream: Pin<&mut impl AsyncRead>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
        limit: usize,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        loop {
            self.hand_on(buffer);
            if buffer.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
            if let Some(bad) = self.failed {
                return Poll::Ready(Err(bad.into()));
            }
            if !self.unread.is_empty() {
                let mut unread = std::mem::take(&mut self.unread);
                let taken = self.take_until_bad(unread.rest(), buffer, limit);
                unread.take(taken);
                self.unread = unread;
                continue;
            }
            let mut chunk = [MaybeUninit::uninit(); CHUNK];
            let mut chunk = ReadBuf::uninit(&mut chunk);
            ready!(stream.as_mut().poll_read(cx, &mut chunk))?;
            if chunk.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            let taken = self.take_until_bad(chunk.filled(), buffer, limit);
            self.unread = Waiting { bytes: chunk.filled()[taken..].to_vec(), taken: 0 };
        }
    }

    fn hand_on(&mut self, buffer: &mut ReadBuf<'_>) {
        let rest = self.ready.rest();
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        self.ready.take(count);
    }

    fn take_until_bad(&mut self, bytes: &[u8], buffer: &mut ReadBuf<'_>, limit: usize) -> usize {
        self.take(bytes, buffer, limit).unwrap_or_else(|bad| {
            self.failed = Some(bad);
            self.deflated = Vec::new();
            bytes.len()
        })
    }

    /// Takes bytes up to the end of a deflated message, so that no more than one waits inflated; answers how many.
    fn take(&mut self, bytes: &[u8], buffer: &mut ReadBuf<'_>, limit: usize) -> Result<usize, Bad> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match &mut self.payload {
                Payload::Passes(0) => {
                    let (byte, after) = rest.split_at(1);
                    self.head[self.had] = byte[0];
                    self.had += 1;
                    rest = after;
                    if let Some(head) = Head::parse(&self.head[..self.had]) {
                        self.had = 0;
                        self.begin(&head, buffer, limit)?;
                    }
                }
                Payload::Passes(left) => {
                    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= count as u64;
                    let (passing, after) = rest.split_at(count);
                    self.pass(passing, buffer);
                    rest = after;
                }
                Payload::Deflated { left, mask, .. } => {
                    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= count as u64;
                    let (masked, after) = rest.split_at(count);
                    let had = self.deflated.len();
                    self.deflated.extend_from_slice(masked);
                    for bytes in self.deflated[had..].chunks_mut(4) {
                        bytes.iter_mut().zip(&*mask).for_each(|(byte, key)| *byte ^= key);
                    }
                    mask.rotate_left(count % 4);
                    rest = after;
                }
            }
            if let Payload::Deflated { left: 0, fin, .. } = self.payload {
                self.payload = Payload::Passes(0);
                if fin {
                    self.finish(limit)?;
                    break;
                }
            }
        }
        Ok(bytes.len() - rest.len())
    }

    /// What the library does not see has to be judged here; the rest it judges itself.
    fn begin(&mut self, head: &Head, buffer: &mut ReadBuf<'_>, limit: usize) -> Result<(), Bad> {
        let reserved = head.first & RESERVED;
        let opens = reserved == RSV1 && matches!(head.opcode(), TEXT | BINARY);
        if head.is_control() || (self.message.is_none() && !opens) {
            let bytes = self.head;
            self.payload = Payload::Passes(head.payload);
            self.pass(&bytes[..head.length], buffer);
            return Ok(());
        }
        let goes_on = self.message.is_some() && head.opcode() == CONTINUATION && reserved == 0;
        let (Some(mask), true) = (head.mask, goes_on || self.message.is_none()) else {
            return Err(Bad::Protocol);
        };
        if head.payload > (longest_deflated(limit) - self.deflated.len()) as u64 {
            return Err(Bad::TooLarge);
        }
        self.message.get_or_insert(FIN | (head.first & OPCODE));
        self.payload = Payload::Deflated { left: head.payload, mask, fin: head.first & FIN != 0 };
        Ok(())
    }

    /// The message is all here: one frame of it, not deflated.
    fn finish(&mut self, limit: usize) -> Result<(), Bad> {
        let (Some(first), deflated) = (self.message.take(), std::mem::take(&mut self.deflated)) else {
            return Ok(());
        };
        let mut frame = vec![0; LONGEST_HEAD];
        inflate(&deflated, limit, &mut frame)?;
        let mut head = Vec::with_capacity(LONGEST_HEAD);
        Head::write(first, MASKED, frame.len() - LONGEST_HEAD, &mut head);
        head.extend_from_slice(&NO_MASK);
        let begin = LONGEST_HEAD - head.len();
        frame[begin..LONGEST_HEAD].copy_from_slice(&head);
        if self.ready.is_empty() {
            self.ready = Waiting { bytes: frame, taken: begin };
        } else {
            self.ready.bytes.extend_from_slice(&frame[begin..]);
        }
        Ok(())
    }

    /// Straight to the reader, or behind what waits for it.
    fn pass(&mut self, bytes: &[u8], buffer: &mut ReadBuf<'_>) {
        let direct = if self.ready.is_empty() { bytes.len().min(buffer.remaining()) } else { 0 };
        let (now, later) = bytes.split_at(direct);
        buffer.put_slice(now);
        self.ready.bytes.extend_from_slice(later);
    }
}
