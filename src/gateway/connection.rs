//! One socket's life: first nobody knows who it is, then it is a [`Session`] with one loop.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::StreamExt;
use tokio::time::{Instant, Sleep};

use super::Gateway;
use super::commands::Work;
use super::frames::{Payload, failure, payload, read};
use super::limits::{BadFrames, TokenBucket};
use super::meters;
use super::opening::{Identified, Opening, identify};
use super::outbox::Next;
use super::session::{Problem, Session};
use super::writer::{Broken, Progress, Writer};
use crate::model::Timestamp;
use crate::protocol::CloseCode;
use crate::telemetry::metrics::{Direction, FrameType, HandshakeResult};

/// Serves one socket to its end.
///
/// What only the beginning or the end needs is boxed, and so is what would be in this future twice: it lives as long as the socket.
pub async fn run(gateway: Gateway, mut socket: Box<WebSocket>, opening: Box<Opening>) {
    let metrics = Arc::clone(&gateway.metrics);
    metrics.gateway.connections.inc();
    let began = Instant::now();
    let linger = opening.arrival.linger.clone();
    let code = match Box::pin(identify(&gateway, &mut socket, opening)).await {
        Ok(identified) => {
            metrics
                .gateway
                .handshake_duration_seconds
                .get(HandshakeResult::Ok)
                .observe(began.elapsed().as_secs_f64());
            serve(&gateway, &mut socket, identified).await
        }
        Err(end) => {
            let result = match end {
                Some(CloseCode::NoHello) => HandshakeResult::Timeout,
                Some(_) => HandshakeResult::Rejected,
                None => HandshakeResult::Error,
            };
            metrics.gateway.handshake_duration_seconds.get(result).observe(began.elapsed().as_secs_f64());
            end
        }
    };
    metrics.gateway.connections.dec();
    metrics.gateway.connections_closed_total.get(meters::closing(code.unwrap_or(CloseCode::Normal))).inc();
    if let Some(code) = code {
        linger.ask();
        let settings = &gateway.settings.gateway;
        let limit = match code {
            // It hears why when it reads again, as long as a silent socket would have lived.
            CloseCode::SlowConsumer => settings.heartbeat + settings.heartbeat_grace,
            _ => settings.close_timeout,
        };
        Box::pin(closing_handshake(&mut socket, code, limit)).await;
    }
    metrics.gateway.connection_duration_seconds.observe(began.elapsed().as_secs_f64());
}

/// Says why, and gives the peer a moment to say that it heard.
pub async fn closing_handshake(socket: &mut WebSocket, code: CloseCode, timeout: std::time::Duration) {
    let frame = CloseFrame { code: code.number(), reason: Utf8Bytes::from_static(code.reason()) };
    let closing = async {
        if socket.send(Message::Close(Some(frame))).await.is_ok() {
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    // Past the time the stream is dropped, which lingers on its own.
    let _ = tokio::time::timeout(timeout, closing).await;
}

/// The socket's loop. Answers the code to close it with, or `None` when the peer is gone.
async fn serve(gateway: &Gateway, socket: &mut WebSocket, identified: Identified) -> Option<CloseCode> {
    let Identified { session, reference, cursors } = identified;
    gateway.welcome(&session, reference.as_ref());
    let login = gateway.clone().come_in(Arc::clone(&session), reference, cursors);
    let now = Instant::now();
    let mut driver = Driver {
        gateway,
        session: &session,
        socket,
        work: Some(Box::pin(login)),
        writer: Writer::default(),
        last_seen: now,
        next_ping: now + gateway.settings.gateway.heartbeat,
        bad: BadFrames::none(now),
        frames: gateway.settings.gateway.frames(now),
    };
    let timer = tokio::time::sleep_until(driver.next_deadline());
    tokio::pin!(timer);
    let code = driver.run(timer).await;
    // Work that was under way is given up here: whatever it accepted stands all the same.
    drop(driver);
    Box::pin(gateway.leave(&session)).await;
    code
}

struct Driver<'a> {
    gateway: &'a Gateway,
    session: &'a Arc<Session>,
    socket: &'a mut WebSocket,
    /// What the last frame asked for, while that is under way: the next frame waits, the outbox does not.
    work: Option<Work>,
    writer: Writer,
    last_seen: Instant,
    next_ping: Instant,
    bad: BadFrames,
    /// The rate of frames of any kind.
    frames: TokenBucket,
}

enum Wake {
    Input(Option<Result<Message, axum::Error>>),
    Output(Next),
    Timer,
    Broken,
}

impl Driver<'_> {
    async fn run(&mut self, mut timer: Pin<&mut Sleep>) -> Option<CloseCode> {
        loop {
            match poll_fn(|cx| self.poll(cx, timer.as_mut())).await {
                Wake::Broken | Wake::Input(None) => return None,
                Wake::Input(Some(Err(error))) => return failure(error),
                Wake::Input(Some(Ok(message))) => {
                    self.last_seen = Instant::now();
                    if self.frames.take(self.last_seen).is_err() {
                        self.drain_outbox().await;
                        return Some(CloseCode::RateLimited);
                    }
                    if let Some(payload) = payload(message)
                        && let Err(code) = self.take(&payload)
                    {
                        self.drain_outbox().await;
                        return Some(code);
                    }
                }
                Wake::Output(Next::Frames(frames)) => self.writer.put(frames),
                Wake::Output(Next::Close(frames, code)) => {
                    if code != CloseCode::SlowConsumer {
                        self.writer.put(frames);
                        self.finish().await;
                    }
                    return Some(code);
                }
                Wake::Timer => {
                    if let Some(code) = self.tick() {
                        return Some(code);
                    }
                    timer.as_mut().reset(self.next_deadline());
                }
            }
        }
    }

    /// What is to be done next. Everything here can be polled again.
    fn poll(&mut self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<Wake> {
        let metrics = &self.gateway.metrics.gateway;
        match self.writer.poll(cx, self.socket, self.session.encoding, metrics) {
            Err(Broken) => return Poll::Ready(Wake::Broken),
            // Nothing is read from a peer that still takes a long answer: that it takes it is its sign of life.
            Ok(Progress::Written) if self.work.is_some() => self.last_seen = Instant::now(),
            Ok(_) => {}
        }
        // Before anything is read: fragments without end use up the turn that tokio gives a task, and then no timer is heard.
        if timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Wake::Timer);
        }
        if self.writer.has_room() {
            if let Poll::Ready(next) = self.session.outbox.poll_next(cx) {
                return Poll::Ready(Wake::Output(next));
            }
        } else if let Some(next) = self.session.outbox.poll_close(cx) {
            return Poll::Ready(Wake::Output(next));
        }
        if let Some(work) = &mut self.work
            && work.as_mut().poll(cx).is_ready()
        {
            self.work = None;
            // It may have brought a fresh token that ends earlier.
            let next = self.next_deadline();
            if next < timer.deadline() {
                timer.as_mut().reset(next);
            }
        }
        if self.work.is_none()
            && let Poll::Ready(input) = self.socket.poll_next_unpin(cx)
        {
            return Poll::Ready(Wake::Input(input));
        }
        // Work may have put answers into the outbox since it was looked at; its waker is registered and fires.
        Poll::Pending
    }

    /// Writes what is there before a close, as far as the peer takes it.
    async fn drain_outbox(&mut self) {
        if let Some(Next::Frames(frames) | Next::Close(frames, _)) = self.session.outbox.take() {
            self.writer.put(frames);
        }
        self.finish().await;
    }

    async fn finish(&mut self) {
        // Given up now and not after the last words: a login may be reading what others wait for.
        self.work = None;
        let (metrics, limit) = (&self.gateway.metrics.gateway, self.gateway.settings.gateway.close_timeout);
        Box::pin(self.writer.finish(self.socket, self.session.encoding, metrics, limit)).await;
    }

    /// Does what a frame asks for, or begins to.
    fn take(&mut self, payload: &Payload) -> Result<(), CloseCode> {
        let metrics = &self.gateway.metrics.gateway;
        let length = payload.bytes.len() as u64;
        match read(self.session.encoding, payload) {
            Ok((reference, frame)) => {
                let kind = meters::incoming(&frame);
                metrics.frames_total.get(Direction::In, kind).inc();
                metrics.frame_bytes_total.get(Direction::In, kind).inc_by(length);
                self.work = self.gateway.act(self.session, reference, frame);
                Ok(())
            }
            Err(bad) => {
                metrics.frames_total.get(Direction::In, FrameType::Unknown).inc();
                metrics.frame_bytes_total.get(Direction::In, FrameType::Unknown).inc_by(length);
                let problem = Problem::new(bad.code, bad.message);
                self.session.refuse(bad.reference.as_ref(), bad.client_id, &problem);
                self.bad.count(Instant::now(), self.gateway.settings.gateway.bad_frames_per_minute)
            }
        }
    }

    fn next_deadline(&self) -> Instant {
        let settings = &self.gateway.settings.gateway;
        let idle = self.last_seen + settings.heartbeat + settings.heartbeat_grace;
        let expires = Instant::now() + self.session.expires_at().since(Timestamp::now());
        self.next_ping.min(idle).min(expires)
    }

    fn tick(&mut self) -> Option<CloseCode> {
        let settings = &self.gateway.settings.gateway;
        let now = Instant::now();
        if self.session.expires_at() <= Timestamp::now() {
            return Some(CloseCode::Unauthenticated);
        }
        if now.duration_since(self.last_seen) >= settings.heartbeat + settings.heartbeat_grace {
            return Some(CloseCode::GoingAway);
        }
        if now >= self.next_ping {
            self.next_ping = now + settings.heartbeat;
            self.writer.ping();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn future_of<A, B, C, F: Future>(_: impl FnOnce(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn what_every_socket_costs_stays_small() {
        let future = future_of(run);
        let (socket, session, driver) =
            (size_of::<WebSocket>(), size_of::<Session>(), size_of::<Driver<'_>>());
        println!("future {future}, of it WebSocket {socket}, driver {driver}; session {session}");
        assert!(future <= 1024 && session <= 320, "future {future}, session {session}");
    }
}
