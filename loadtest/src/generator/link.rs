//! The life of one client's connection: connect, log in, read until it ends, and again.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use rand::RngExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::ws::{Stream, handshake};

use super::worker::Worker;
use super::{inbound, outbound};

/// A connect that takes longer has failed.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
/// A login (to the last `sync`) that takes longer has failed.
const LOGIN_WITHIN: Duration = Duration::from_secs(60);
/// Between attempts, in milliseconds: doubled each time, with jitter.
const BACKOFF_MS: (u64, u64) = (250, 8000);
/// Receive buffer of those who read slowly, so that the server notices soon.
const SLOW_RECEIVE_BYTES: u32 = 8 * 1024;

enum Ended {
    Cut,
    Closed,
    Failed,
}

/// Runs the client at `index` of its worker until the worker stops. `due_us` is when its first
/// login was due.
pub async fn run(worker: Rc<Worker>, index: usize, due_us: u64) {
    let mut backoff = BACKOFF_MS.0;
    let mut due_us = due_us;
    while !worker.is_stopping() {
        let opened = {
            let _turn = worker.connecting.acquire().await;
            timeout(CONNECT_WITHIN, open(&worker, index)).await
        };
        let failure = match opened {
            Ok(Ok((stream, rest))) => {
                begin(&worker, index, stream, rest, due_us);
                None
            }
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("no answer to the connect in time".to_owned()),
        };
        let pause_ms = if let Some(failure) = failure {
            let mut tally = worker.tally();
            tally.totals.connect_failures += 1;
            *tally.totals.failures.entry(failure).or_default() += 1;
            drop(tally);
            worker.clients[index].borrow_mut().session.moves += 1;
            backoff = (backoff * 2).min(BACKOFF_MS.1);
            worker.random().random_range(backoff / 2..=backoff)
        } else {
            let ended = live(&worker, index).await;
            let (was_ready, wish) = end(&worker, index, &ended);
            if was_ready {
                backoff = BACKOFF_MS.0;
            } else {
                backoff = (backoff * 2).min(BACKOFF_MS.1);
            }
            match (ended, wish) {
                (_, Some(wish_ms)) => wish_ms,
                (Ended::Cut, None) => {
                    let within = worker.shared.scenario.churn.back_within_s * 1000.0;
                    worker.random().random_range(0..=within as u64)
                }
                _ => worker.random().random_range(backoff / 2..=backoff),
            }
        };
        worker.pause(Duration::from_millis(pause_ms)).await;
        due_us = worker.shared.clock.now_us();
    }
}

/// TCP, TLS and the upgrade.
async fn open(worker: &Worker, index: usize) -> anyhow::Result<(Stream, Vec<u8>)> {
    let (user, moves, measured) = {
        let session = &worker.clients[index].borrow().session;
        (session.user as usize, session.moves, session.measured)
    };
    let route = worker.shared.target.route(user + moves)?;
    let tcp = connect(route.address, route.source, measured).await?;
    let token = Some(worker.shared.tokens[user].as_str());
    let (host, path) = (route.gateway.host.as_str(), route.gateway.path.as_str());
    if let Some((connector, name)) = route.tls {
        let mut tls = connector.connect(name, tcp).await?;
        let rest = handshake::connect(&mut tls, host, path, token).await?;
        return Ok((Stream::Tls(Box::new(tls)), rest));
    }
    let mut tcp = tcp;
    let rest = handshake::connect(&mut tcp, host, path, token).await?;
    Ok((Stream::Plain(tcp), rest))
}

async fn connect(
    address: SocketAddr,
    source: Option<std::net::IpAddr>,
    measured: bool,
) -> io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if let Some(source) = source {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    if !measured {
        socket.set_recv_buffer_size(SLOW_RECEIVE_BYTES)?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn begin(worker: &Worker, index: usize, stream: Stream, mut rest: Vec<u8>, due_us: u64) {
    let client = &mut *worker.clients[index].borrow_mut();
    client.session.begin();
    client.session.login_due_us = due_us;
    client.stream = Some(stream);
    let user = client.session.user as usize;
    worker.shared.online_since[user].store(worker.shared.clock.now_us(), Ordering::Relaxed);
    outbound::hello(&mut client.session, &worker.shared);
    // The server speaks after `hello` only, so this is empty unless it is a strange one.
    let _ = inbound::take(&mut client.session, &mut worker.desk(), &mut rest);
}

/// Reads until the end; slow readers read only half of the time.
async fn live(worker: &Rc<Worker>, index: usize) -> Ended {
    let measured = worker.clients[index].borrow().session.measured;
    let pause = Duration::from_secs_f64(worker.shared.scenario.slow.pause_s.max(0.1));
    let mut login_deadline = Some(LOGIN_WITHIN);
    loop {
        let reading = read(worker, index);
        let span = if measured { login_deadline } else { Some(pause) };
        let Some(span) = span else {
            return reading.await;
        };
        if let Ok(ended) = timeout(span, reading).await {
            return ended;
        }
        if !measured {
            worker.pause(pause).await;
        } else if worker.clients[index].borrow().session.ready {
            login_deadline = None;
        } else {
            return Ended::Failed;
        }
    }
}

async fn read(worker: &Worker, index: usize) -> Ended {
    std::future::poll_fn(|context| {
        let client = &mut *worker.clients[index].borrow_mut();
        let session = &mut client.session;
        let Some(stream) = client.stream.as_mut() else {
            return Poll::Ready(Ended::Cut);
        };
        loop {
            if session.cut {
                return Poll::Ready(Ended::Cut);
            }
            if !session.outbox.is_empty()
                && let Poll::Ready(Err(_)) = stream.poll_flush_from(context, &mut session.outbox)
            {
                return Poll::Ready(Ended::Failed);
            }
            let polled =
                stream.poll_read_with(context, |bytes| inbound::take(session, &mut worker.desk(), bytes));
            match polled {
                Poll::Pending => {
                    worker.remember(session, context);
                    return Poll::Pending;
                }
                Poll::Ready(Ok((0, _))) | Poll::Ready(Err(_)) => return Poll::Ready(Ended::Closed),
                Poll::Ready(Ok((_, Err(error)))) => {
                    let mut tally = worker.tally();
                    *tally.totals.errors.entry(error.to_string()).or_default() += 1;
                    return Poll::Ready(Ended::Failed);
                }
                Poll::Ready(Ok((_, Ok(())))) if session.close_code.is_some() => {
                    return Poll::Ready(Ended::Closed);
                }
                Poll::Ready(Ok((_, Ok(())))) => {}
            }
        }
    })
    .await
}

/// Takes the connection down. Says whether it was logged in and in how many milliseconds the server wants it back.
fn end(worker: &Worker, index: usize, ended: &Ended) -> (bool, Option<u64>) {
    let now_us = worker.shared.clock.now_us();
    let client = &mut *worker.clients[index].borrow_mut();
    client.stream = None;
    let session = &mut client.session;
    let was_ready = std::mem::replace(&mut session.ready, false);
    session.waker = None;
    if was_ready {
        worker.shared.connected.fetch_sub(1, Ordering::Relaxed);
        session.away_since_us = Some(now_us);
    }
    if !matches!(ended, Ended::Cut) {
        session.moves += 1;
    }
    if !worker.is_stopping() {
        let mut tally = worker.tally();
        tally.totals.disconnects += 1;
        if !matches!(ended, Ended::Cut) {
            *tally.totals.closes.entry(session.close_code.unwrap_or(0)).or_default() += 1;
        }
    }
    (was_ready, session.back_at_us.map(|at| at.saturating_sub(now_us) / 1000))
}
