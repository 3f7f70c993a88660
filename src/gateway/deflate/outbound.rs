//! To the client: long messages leave deflated, everything else as it is.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use super::codec::deflate;
use super::{BINARY, FIN, Head, RESERVED, RSV1, TEXT};

/// Past this, no further frame is made ready before these bytes are written.
const ENOUGH: usize = 64 * 1024;
/// A frame that comes in pieces is put together up to here, and otherwise passes. The library hands over whole frames.
const LONGEST_GATHERED: usize = 1024 * 1024;

#[derive(Default)]
pub(super) struct Outbound {
    /// Bytes to come of a frame that passes.
    passes: u64,
    /// The beginning of a frame whose rest did not come yet.
    gathered: Vec<u8>,
    /// How long that has to be before it is looked at again.
    needed: usize,
    /// For the stream.
    pending: Vec<u8>,
    written: usize,
}

/// What is to be done with the frame at the beginning of some bytes.
enum Frame {
    /// More bytes are needed, up to that many in all.
    Incomplete(usize),
    /// So many bytes, of which some may come later.
    Passes(u64),
    /// All of it, so many bytes, is ready for the stream.
    Taken(usize),
}

impl Outbound {
    /// Bytes of memory beside its own.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.gathered.capacity() + self.pending.capacity()
    }

    /// Writes what is ready.
    pub fn poll_drain(
        &mut self,
        mut stream: Pin<&mut impl AsyncWrite>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.written < self.pending.len() {
            let count = ready!(stream.as_mut().poll_write(cx, &self.pending[self.written..]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
        }
        self.pending = Vec::new();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    pub fn poll_write(
        &mut self,
        mut stream: Pin<&mut impl AsyncWrite>,
        cx: &mut Context<'_>,
        bytes: &[u8],
        threshold: usize,
        window_bits: u8,
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_drain(stream.as_mut(), cx))?;
        let whole = if self.gathered.is_empty() { self.passing(bytes, threshold) } else { 0 };
        if whole >= (bytes.len() as u64).min(ENOUGH as u64) {
            // It passes, and is too long to be copied so that it shares a write with what follows.
            let here = bytes.len().min(usize::try_from(whole).unwrap_or(usize::MAX));
            let count = ready!(stream.poll_write(cx, &bytes[..here]))?;
            self.passes = whole - count as u64;
            return Poll::Ready(Ok(count));
        }
        let taken = self.take(bytes, threshold, window_bits);
        // What the stream does not take now is written before anything else, or by a flush.
        match self.poll_drain(stream, cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(taken)),
        }
    }

    /// Bytes from here on that pass, possibly more than are here.
    fn passing(&self, bytes: &[u8], threshold: usize) -> u64 {
        let mut passing = self.passes;
        while let Some(rest) = usize::try_from(passing).ok().and_then(|passing| bytes.get(passing..))
            && let Some(head) = Head::parse(rest)
            && !is_worth_it(&head, threshold)
        {
            passing = passing.saturating_add(head.length as u64).saturating_add(head.payload);
        }
        passing
    }

    /// Takes frames until enough is ready; answers how many bytes.
    fn take(&mut self, bytes: &[u8], threshold: usize, window_bits: u8) -> usize {
        let mut rest = bytes;
        while !rest.is_empty() && self.pending.len() < ENOUGH {
            if self.passes > 0 {
                let count = usize::try_from(self.passes).unwrap_or(usize::MAX).min(rest.len());
                let (passing, after) = rest.split_at(count);
                self.pending.extend_from_slice(passing);
                self.passes -= count as u64;
                rest = after;
                continue;
            }
            if !self.gathered.is_empty() {
                let missing = self.needed - self.gathered.len();
                let (more, after) = rest.split_at(missing.min(rest.len()));
                self.gathered.extend_from_slice(more);
                rest = after;
                if self.gathered.len() == self.needed {
                    self.settle(threshold, window_bits);
                }
                continue;
            }
            match self.frame(rest, threshold, window_bits) {
                Frame::Passes(length) => self.passes = length,
                Frame::Taken(count) => rest = &rest[count..],
                Frame::Incomplete(needed) => {
                    self.gathered = rest.to_vec();
                    self.needed = needed;
                    rest = &[];
                }
            }
        }
        bytes.len() - rest.len()
    }

    /// As much was gathered as was needed to go on.
    fn settle(&mut self, threshold: usize, window_bits: u8) {
        let gathered = std::mem::take(&mut self.gathered);
        match self.frame(&gathered, threshold, window_bits) {
            Frame::Incomplete(needed) => {
                self.gathered = gathered;
                self.needed = needed;
            }
            Frame::Passes(length) => {
                self.pending.extend_from_slice(&gathered);
                self.passes = length - gathered.len() as u64;
            }
            Frame::Taken(_) => {}
        }
    }

    fn frame(&mut self, bytes: &[u8], threshold: usize, window_bits: u8) -> Frame {
        let Some(head) = Head::parse(bytes) else { return Frame::Incomplete(bytes.len() + 1) };
        let length = (head.length as u64).saturating_add(head.payload);
        if !is_worth_it(&head, threshold) {
            return Frame::Passes(length);
        }
        let Some(frame) = usize::try_from(length).ok().and_then(|length| bytes.get(..length)) else {
            return match usize::try_from(length) {
                Ok(needed) if needed <= LONGEST_GATHERED => Frame::Incomplete(needed),
                _ => Frame::Passes(length),
            };
        };
        let pending = &mut self.pending;
        let deflated = deflate(&frame[head.length..], window_bits, |deflated| {
            Head::write(head.first | RSV1, 0, deflated.len(), pending);
            pending.extend_from_slice(deflated);
        });
        if deflated.is_none() {
            pending.extend_from_slice(frame);
        }
        Frame::Taken(frame.len())
    }
}

/// A message in one frame, as the library writes them, of at least that many bytes.
fn is_worth_it(head: &Head, threshold: usize) -> bool {
    head.first & FIN != 0
        && head.first & RESERVED == 0
        && matches!(head.opcode(), TEXT | BINARY)
        && head.mask.is_none()
        && head.payload >= threshold as u64
}
