//! A socket's outbox: frames that wait to be written, bounded in bytes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use atomic_waker::AtomicWaker;
use bytes::Bytes;

use crate::model::Stamp;
use crate::protocol::CloseCode;

/// Frames on their way to one socket: any task puts in, the socket's own task takes out.
///
/// Small, because there is one for every socket: 0.2 KB where a channel costs ten times that.
pub struct Outbox {
    state: Mutex<State>,
    /// Only the socket's task waits.
    waker: AtomicWaker,
    limit: usize,
}

#[derive(Default)]
struct State {
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// While `sync` is being read: live events wait here, because the client must have `sync` first.
    held: Option<Vec<(Option<Stamp>, Bytes)>>,
    close: Option<CloseCode>,
}

/// What the socket's task is to do next.
pub enum Next {
    /// Write these, in order.
    Frames(VecDeque<Bytes>),
    /// Write these, then close.
    Close(VecDeque<Bytes>, CloseCode),
}

/// What a frame costs beside its bytes; an empty outbox always takes one.
const OVERHEAD: usize = 64;

impl Outbox {
    /// `limit` in bytes; past it the socket is a slow consumer.
    pub fn holding(limit: usize) -> Self {
        let state = State { held: Some(Vec::new()), ..State::default() };
        Self { state: Mutex::new(state), waker: AtomicWaker::new(), limit }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an answer in.
    pub fn answer(&self, frame: Bytes) {
        if self.put(frame, None, false) {
            self.waker.wake();
        }
    }

    /// Puts an answer in that may leave together with what comes next. Whoever puts it in has the task woken: at once when this
    /// answers that other frames wait already, and later otherwise.
    pub fn answer_later(&self, frame: Bytes) -> bool {
        self.put(frame, None, false) && self.state().frames.len() != 1
    }

    /// As [`Self::event`] for a socket that is owed an answer, with which it may leave: whoever puts it in has the task woken later.
    pub fn event_later(&self, frame: Bytes, stamp: Option<Stamp>) {
        self.put(frame, stamp, true);
    }

    /// Has the socket's task write what is there.
    pub fn wake(&self) {
        let state = self.state();
        let waits = !state.frames.is_empty() || state.close.is_some();
        drop(state);
        if waits {
            self.waker.wake();
        }
    }

    /// Puts a live event in, or holds it back while `sync` is being read.
    pub fn event(&self, frame: Bytes, stamp: Option<Stamp>) {
        if self.put(frame, stamp, true) {
            self.waker.wake();
        }
    }

    /// Whether the socket's task has something to do now.
    fn put(&self, frame: Bytes, stamp: Option<Stamp>, live: bool) -> bool {
        let mut state = self.state();
        if state.close.is_some() {
            return false;
        }
        let cost = frame.len() + OVERHEAD;
        if state.bytes + cost > self.limit && state.bytes > 0 {
            state.frames = VecDeque::new();
            state.held = None;
            state.bytes = 0;
            state.close = Some(CloseCode::SlowConsumer);
            return true;
        }
        state.bytes += cost;
        match &mut state.held {
            Some(held) if live => {
                held.push((stamp, frame));
                false
            }
            Some(_) | None => {
                state.frames.push_back(frame);
                true
            }
        }
    }

    /// Waits until everything that is not held back went to the socket's buffer: what is long is put in piece by piece, so that it
    /// does not look like a slow reader. To be awaited only within the socket's own work, which is polled whenever something went.
    pub async fn emptied(&self) {
        std::future::poll_fn(|_| {
            let state = self.state();
            if state.frames.is_empty() || state.close.is_some() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// `sync` is in: releases the held events, but for those that it covered. Nothing is held when the outbox was closed meanwhile.
    pub fn release(&self, covered: impl Fn(&Stamp) -> bool) {
        let mut state = self.state();
        let Some(held) = state.held.take() else { return };
        for (stamp, frame) in held {
            if stamp.as_ref().is_some_and(&covered) {
                state.bytes -= frame.len() + OVERHEAD;
            } else {
                state.frames.push_back(frame);
            }
        }
        drop(state);
        self.waker.wake();
    }

    /// Closes the socket after what is there was written; the first reason stands.
    pub fn close(&self, code: CloseCode) {
        self.state().close.get_or_insert(code);
        self.waker.wake();
    }

    #[cfg(test)]
    fn waiting(&self) -> usize {
        self.state().bytes
    }

    /// Waits for something to do. Only the socket's task may call this.
    pub fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Next> {
        if let Some(next) = self.take() {
            return Poll::Ready(next);
        }
        self.waker.register(cx.waker());
        self.take().map_or(Poll::Pending, Poll::Ready)
    }

    /// Waits for a close only: the socket takes no more frames now.
    pub fn poll_close(&self, cx: &mut Context<'_>) -> Option<Next> {
        self.waker.register(cx.waker());
        let closes = self.state().close.is_some();
        if closes { self.take() } else { None }
    }

    /// Takes what is there to be written.
    pub fn take(&self) -> Option<Next> {
        let mut state = self.state();
        if state.frames.is_empty() && state.close.is_none() {
            return None;
        }
        let frames = std::mem::take(&mut state.frames);
        let taken: usize = frames.iter().map(|frame| frame.len() + OVERHEAD).sum();
        state.bytes = state.bytes.saturating_sub(taken);
        Some(match state.close {
            Some(code) => Next::Close(frames, code),
            None => Next::Frames(frames),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ConversationId, Seq};

    fn frame(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    fn stamp(seq: i64) -> Option<Stamp> {
        let conversation_id = ConversationId::new();
        Some(Stamp { conversation_id, seq: Seq::new(seq), members_seq: Seq::ZERO })
    }

    fn frames(next: Option<Next>) -> Vec<Bytes> {
        match next {
            Some(Next::Frames(frames) | Next::Close(frames, _)) => frames.into(),
            None => Vec::new(),
        }
    }

    #[test]
    fn live_events_wait_for_sync_and_those_that_it_covered_are_dropped() {
        let outbox = Outbox::holding(1000);
        outbox.event(frame("three"), stamp(3));
        outbox.event(frame("four"), stamp(4));
        outbox.answer(frame("sync"));
        assert_eq!(frames(outbox.take()), ["sync"]);
        outbox.release(|stamp| stamp.seq <= Seq::new(3));
        outbox.event(frame("five"), stamp(5));
        assert_eq!(frames(outbox.take()), ["four", "five"]);
        assert_eq!(outbox.waiting(), 0);
    }

    #[test]
    fn an_outbox_past_its_limit_is_emptied_and_closes_as_a_slow_consumer() {
        let outbox = Outbox::holding(200);
        outbox.release(|_| false);
        outbox.event(frame("a"), None);
        outbox.event(Bytes::from(vec![0; 200]), None);
        let next = outbox.take();
        assert!(matches!(next, Some(Next::Close(ref frames, CloseCode::SlowConsumer)) if frames.is_empty()));
        outbox.event(frame("b"), None);
        assert_eq!(outbox.waiting(), 0);
    }

    #[test]
    fn held_events_count_towards_the_limit() {
        let outbox = Outbox::holding(200);
        for _ in 0..3 {
            outbox.event(Bytes::from(vec![0; 60]), stamp(1));
        }
        assert!(matches!(outbox.take(), Some(Next::Close(_, CloseCode::SlowConsumer))));
    }

    #[test]
    fn one_frame_larger_than_the_limit_fits_an_empty_outbox() {
        let outbox = Outbox::holding(100);
        outbox.answer(Bytes::from(vec![0; 500]));
        assert_eq!(frames(outbox.take()).len(), 1);
    }
}
