//! From the outbox into one socket, never waiting: what the peer does not take stays here, and the socket's loop goes on.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use futures_util::SinkExt;

use super::frames::message;
use super::meters;
use crate::protocol::Encoding;
use crate::telemetry::metrics::{Direction, FrameType, Gateway as Metrics};

/// Bytes that may be in the socket's buffer before frames have to wait.
const UNFLUSHED: usize = 64 * 1024;

/// Frames that were taken from the outbox, at most as many as that holds.
#[derive(Default)]
pub(super) struct Writer {
    frames: VecDeque<Bytes>,
    /// Bytes in the socket's buffer.
    unflushed: usize,
    ping: bool,
}

/// The peer is gone.
pub(super) struct Broken;

/// Whether something left the socket's buffer.
#[derive(PartialEq, Eq)]
pub(super) enum Progress {
    Written,
    Nothing,
}

impl Writer {
    /// Whether the outbox may hand over more.
    pub fn has_room(&self) -> bool {
        self.frames.is_empty() && self.unflushed < UNFLUSHED
    }

    pub fn put(&mut self, frames: VecDeque<Bytes>) {
        if self.frames.is_empty() {
            self.frames = frames;
        } else {
            self.frames.extend(frames);
        }
    }

    /// A ping leaves after what waits, so not to a peer that takes nothing.
    pub fn ping(&mut self) {
        self.ping = true;
    }

    /// Writes what the socket takes now; the task is woken when it takes more.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut WebSocket,
        encoding: Encoding,
        metrics: &Metrics,
    ) -> Result<Progress, Broken> {
        let mut progress = Progress::Nothing;
        loop {
            while self.unflushed < UNFLUSHED && (self.ping || !self.frames.is_empty()) {
                match socket.poll_ready_unpin(cx) {
                    Poll::Ready(Ok(())) => self.start(socket, encoding, metrics)?,
                    Poll::Ready(Err(_)) => return Err(Broken),
                    Poll::Pending => break,
                }
            }
            if self.unflushed == 0 {
                return Ok(progress);
            }
            match socket.poll_flush_unpin(cx) {
                Poll::Ready(Ok(())) => {
                    self.unflushed = 0;
                    progress = Progress::Written;
                }
                Poll::Ready(Err(_)) => return Err(Broken),
                Poll::Pending => return Ok(progress),
            }
        }
    }

    /// Puts the next frame into the socket's buffer, or the ping.
    fn start(&mut self, socket: &mut WebSocket, encoding: Encoding, metrics: &Metrics) -> Result<(), Broken> {
        let next = match self.frames.pop_front() {
            Some(frame) => {
                let kind = match encoding {
                    Encoding::Json => meters::outgoing(&frame),
                    Encoding::MessagePack => FrameType::Unknown,
                };
                metrics.frames_total.get(Direction::Out, kind).inc();
                metrics.frame_bytes_total.get(Direction::Out, kind).inc_by(frame.len() as u64);
                self.unflushed += frame.len();
                message(encoding, frame)
            }
            None => {
                self.ping = false;
                // Something is in the buffer then, whatever its length.
                self.unflushed += 2;
                Message::Ping(Bytes::new())
            }
        };
        socket.start_send_unpin(next).map_err(|_| Broken)
    }

    /// Writes what is left before a close, as far as the peer takes it in time.
    pub async fn finish(
        &mut self,
        socket: &mut WebSocket,
        encoding: Encoding,
        metrics: &Metrics,
        limit: Duration,
    ) {
        self.ping = false;
        let written = poll_fn(|cx| match self.poll(cx, socket, encoding, metrics) {
            // A peer that is gone needs no last words.
            Err(Broken) => Poll::Ready(()),
            Ok(_) if self.frames.is_empty() && self.unflushed == 0 => Poll::Ready(()),
            Ok(_) => Poll::Pending,
        });
        // Past the time it is cut off.
        let _ = tokio::time::timeout(limit, written).await;
    }
}
