//! One client: what it knows between two reads and between two connections.

use std::collections::VecDeque;
use std::task::Waker;

use uuid::Uuid;

use crate::checker::{Socket, UserKey};
use crate::ws::{Inbox, Stream};

/// A user's client. The socket stands beside the session so that both can be borrowed at once.
pub struct Client {
    pub stream: Option<Stream>,
    pub session: Session,
}

pub struct Session {
    /// Number within the plan.
    pub user: u32,
    pub key: UserKey,
    pub inbox: Inbox,
    /// Frames that wait to be written.
    pub outbox: Vec<u8>,
    /// Wakes the client's task when the outbox could not be emptied elsewhere.
    pub waker: Option<Waker>,
    /// Counts the connections of this user.
    pub socket: Socket,
    /// Logged in: `welcome` and the last `sync` are there.
    pub ready: bool,
    /// The connection is to be given up now.
    pub cut: bool,
    /// The server's close code, once it sent one.
    pub close_code: Option<u16>,
    /// When the server wants this client back, by a `reconnect` frame; microseconds.
    pub back_at_us: Option<u64>,
    /// When its last logged-in connection ended; nothing while there is one, and before the first.
    pub away_since_us: Option<u64>,
    /// Connections that it lost or did not get: each next one goes to the next gateway, as behind a load balancer.
    pub moves: usize,
    /// When this login was due, microseconds.
    pub login_due_us: u64,
    /// Sends without an answer, in order.
    pub outstanding: VecDeque<Outgoing>,
    /// Direct conversations, by their number in the plan, whose id this client has been told.
    pub learned: Vec<u32>,
    /// Readers with something new to acknowledge, by their place in the plan's memberships.
    pub to_acknowledge: Vec<u32>,
    /// Something came after a hole.
    pub gapped: bool,
    /// Requests for history that have not been answered.
    pub healing: u32,
    /// Latencies of this client count (those of slow readers do not).
    pub measured: bool,
}

/// A send that has no answer yet.
#[derive(Clone, Copy)]
pub struct Outgoing {
    pub conversation: u32,
    pub client_id: Uuid,
    /// It was written at least once.
    pub written: bool,
}

impl Client {
    pub fn new(user: u32, key: UserKey, measured: bool) -> Self {
        Self {
            stream: None,
            session: Session {
                user,
                key,
                inbox: Inbox::default(),
                outbox: Vec::new(),
                waker: None,
                socket: Socket(0),
                ready: false,
                cut: false,
                close_code: None,
                back_at_us: None,
                away_since_us: None,
                moves: 0,
                login_due_us: 0,
                outstanding: VecDeque::new(),
                learned: Vec::new(),
                to_acknowledge: Vec::new(),
                gapped: false,
                healing: 0,
                measured,
            },
        }
    }
}

impl Session {
    /// A new connection begins: what belonged to the old one is forgotten, sends are not.
    pub fn begin(&mut self) {
        self.inbox = Inbox::default();
        self.outbox = Vec::new();
        self.socket = Socket(self.socket.0.wrapping_add(1));
        self.ready = false;
        self.cut = false;
        self.close_code = None;
        self.back_at_us = None;
        self.to_acknowledge.clear();
        self.healing = 0;
    }

    pub fn learn(&mut self, conversation: u32) {
        if !self.learned.contains(&conversation) {
            self.learned.push(conversation);
        }
    }

    pub fn answered(&mut self, client_id: Uuid) {
        // Answers come in order nearly always.
        if self.outstanding.front().is_some_and(|first| first.client_id == client_id) {
            self.outstanding.pop_front();
        } else if let Some(at) = self.outstanding.iter().position(|one| one.client_id == client_id) {
            self.outstanding.remove(at);
        }
        if self.outstanding.is_empty() && self.outstanding.capacity() > 16 {
            self.outstanding = VecDeque::new();
        }
    }
}
