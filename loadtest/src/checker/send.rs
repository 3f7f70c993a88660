//! One send: who, where, on which socket, what became of it.

use super::{ConversationKey, UserKey};

/// Numbers the sockets of a user, so that order is asked for only within one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket(pub u16);

/// The answer to a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server said `accepted`: it must appear once.
    Accepted,
    /// The server said for certain that it will not appear.
    Refused,
    /// Refused because the sender may not write there (any more), which may follow `accepted`.
    Withdrawn,
    /// No answer, or one that leaves it open (`unavailable`, `internal`): it may appear once.
    Unknown,
}

impl Outcome {
    /// What an `error` frame's code says about the fate of the message. A broker that confirmed
    /// too late is `unavailable`, so that one is not a promise in either direction.
    pub fn of_error(code: &[u8]) -> Self {
        match code {
            b"unavailable" | b"internal" | b"" => Self::Unknown,
            b"forbidden" | b"not_found" => Self::Withdrawn,
            _ => Self::Refused,
        }
    }
}

pub(super) struct Send {
    pub sender: UserKey,
    pub conversation: ConversationKey,
    /// Zero until it was seen.
    pub seq: u32,
    /// Seen in the store by a fresh reader.
    pub stored: bool,
    socket: u16,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Answered(Outcome),
}

/// A socket number that no order is asked of.
const NO_ORDER: u16 = u16::MAX;

impl Send {
    pub fn new(sender: UserKey, socket: Socket, conversation: ConversationKey) -> Self {
        Self {
            sender,
            conversation,
            seq: 0,
            stored: false,
            socket: socket.0.min(NO_ORDER - 1),
            state: State::Waiting,
        }
    }

    /// True when this is the first answer.
    pub fn answer(&mut self, outcome: Outcome) -> bool {
        let first = self.state == State::Waiting;
        let accepted = self.state == State::Answered(Outcome::Accepted);
        if !accepted || outcome == Outcome::Withdrawn {
            self.state = State::Answered(outcome);
        }
        first
    }

    /// An unanswered send is an unknown one.
    pub fn outcome(&self) -> Outcome {
        match self.state {
            State::Waiting => Outcome::Unknown,
            State::Answered(outcome) => outcome,
        }
    }

    pub fn forget_order(&mut self) {
        self.socket = NO_ORDER;
    }

    /// The socket whose order this send belongs to.
    pub fn ordered_socket(&self) -> Option<u16> {
        (self.socket != NO_ORDER).then_some(self.socket)
    }
}
