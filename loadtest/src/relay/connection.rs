//! One connection of the relay: read, relay, flush whom one wrote to.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::net::TcpStream;

use crate::scan::Wire;
use crate::ws::{Inbox, Opcode, Stream, frame, handshake};

use super::words::{self, Sent};
use super::{Pair, Relay};

/// A connection as others see it.
pub struct Peer {
    pub user: String,
    /// Nothing once the connection is over, though others still know the peer.
    stream: RefCell<Option<Stream>>,
    outbox: RefCell<Vec<u8>>,
    waker: RefCell<Option<Waker>>,
}

pub async fn run(relay: Rc<Relay>, mut stream: TcpStream) {
    let Ok((Some(user), mut rest)) = handshake::accept(&mut stream).await else {
        return;
    };
    let peer = Rc::new(Peer {
        user: user.clone(),
        stream: RefCell::new(Some(Stream::Plain(stream))),
        outbox: RefCell::default(),
        waker: RefCell::default(),
    });
    relay.peers.borrow_mut().insert(user.clone(), Rc::clone(&peer));
    let mut inbox = Inbox::default();
    let mut open = take(&relay, &peer, &mut inbox, &mut rest);
    if open {
        std::future::poll_fn(|context| {
            loop {
                if peer.flush(context).is_err() || !open {
                    return Poll::Ready(());
                }
                let polled = match peer.stream.borrow_mut().as_mut() {
                    Some(stream) => stream.poll_read_with(context, |bytes| bytes.to_vec()),
                    None => return Poll::Ready(()),
                };
                match polled {
                    Poll::Pending => {
                        *peer.waker.borrow_mut() = Some(context.waker().clone());
                        return Poll::Pending;
                    }
                    Poll::Ready(Ok((count, mut bytes))) if count > 0 => {
                        open = take(&relay, &peer, &mut inbox, &mut bytes);
                    }
                    Poll::Ready(_) => return Poll::Ready(()),
                }
            }
        })
        .await;
    }
    *peer.stream.borrow_mut() = None;
    *peer.outbox.borrow_mut() = Vec::new();
    let mut peers = relay.peers.borrow_mut();
    if peers.get(&user).is_some_and(|known| Rc::ptr_eq(known, &peer)) {
        peers.remove(&user);
    }
}

/// Takes what was read; false when the connection is over.
fn take(relay: &Relay, peer: &Rc<Peer>, inbox: &mut Inbox, bytes: &mut [u8]) -> bool {
    let mut open = true;
    let result = inbox.feed(bytes, |opcode, payload| match opcode {
        Opcode::Text => take_text(relay, peer, payload),
        Opcode::Ping => frame::encode(&mut peer.outbox.borrow_mut(), Opcode::Pong, payload, None),
        Opcode::Close => {
            frame::encode(&mut peer.outbox.borrow_mut(), Opcode::Close, payload, None);
            open = false;
        }
        _ => {}
    });
    open && result.is_ok()
}

fn take_text(relay: &Relay, peer: &Rc<Peer>, payload: &[u8]) {
    let kind = Wire::scan(payload).map(|wire| wire.kind_of_frame);
    match kind {
        Some(b"hello") => {
            peer.write(&words::welcome(&peer.user));
            peer.write(words::SYNC.as_bytes());
        }
        Some(b"send") => {
            if let Some(sent) = Sent::parse(payload)
                && let Some(pair) = find(relay, peer, &sent)
            {
                relay_message(relay, peer, &pair, &sent);
            }
        }
        Some(b"ping") => peer.write(br#"{"type":"pong"}"#),
        _ => {}
    }
}

fn find(relay: &Relay, peer: &Peer, sent: &Sent<'_>) -> Option<Rc<Pair>> {
    match (sent.conversation_id, sent.to) {
        (Some(id), _) => relay.pairs.borrow().get(&id).cloned(),
        (None, Some(to)) => Some(relay.pair(&peer.user, to)),
        (None, None) => None,
    }
}

fn relay_message(relay: &Relay, sender: &Rc<Peer>, pair: &Pair, sent: &Sent<'_>) {
    let seq = pair.last_seq.get() + 1;
    pair.last_seq.set(seq);
    words::with_message(pair.id, seq, &sender.user, sent, |message| {
        for (place, user) in pair.users.iter().enumerate() {
            let mut known = pair.peers.borrow_mut();
            if known[place].as_ref().is_none_or(|peer| peer.is_gone()) {
                known[place] = relay.peers.borrow().get(user).cloned();
            }
            let Some(peer) = &known[place] else { continue };
            peer.write(message);
            if Rc::ptr_eq(peer, sender) {
                words::with_accepted(pair.id, sent, |accepted| peer.write(accepted));
            } else {
                peer.flush_now();
            }
        }
    });
}

impl Peer {
    pub fn is_gone(&self) -> bool {
        self.stream.borrow().is_none()
    }

    fn write(&self, json: &[u8]) {
        frame::encode(&mut self.outbox.borrow_mut(), Opcode::Text, json, None);
    }

    fn flush(&self, context: &mut Context<'_>) -> std::io::Result<()> {
        let mut outbox = self.outbox.borrow_mut();
        if outbox.is_empty() {
            return Ok(());
        }
        let mut stream = self.stream.borrow_mut();
        let Some(stream) = stream.as_mut() else {
            return Ok(());
        };
        match stream.poll_flush_from(context, &mut outbox) {
            Poll::Ready(result) => result,
            Poll::Pending => Ok(()),
        }
    }

    /// Writes for another task: what does not fit wakes the connection's own.
    fn flush_now(&self) {
        let done = self.flush(&mut Context::from_waker(Waker::noop()));
        if (done.is_err() || !self.outbox.borrow().is_empty())
            && let Some(waker) = self.waker.borrow_mut().take()
        {
            waker.wake();
        }
    }
}
