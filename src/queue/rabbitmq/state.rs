//! How the backend is, for readiness and metrics.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// How the connections to the broker are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Both connections are open and everything is declared.
    Connected,
    /// Reading goes on, publishing is refused: the broker raised an alarm (memory or disk). RabbitMQ says so at the first
    /// publish after it, not before.
    Blocked { reason: String },
    /// One connection at least is away; it is opened again, for ever.
    Disconnected { reason: String },
}

/// Which of the two connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Publish,
    Consume,
}

impl Purpose {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Consume => "consume",
        }
    }
}

/// The states of both connections as one.
pub(super) struct Board {
    both: Mutex<[State; 2]>,
    shown: watch::Sender<State>,
}

impl Board {
    pub fn new() -> Self {
        let begin = State::Disconnected { reason: "not connected yet".into() };
        Self { both: Mutex::new([begin.clone(), begin.clone()]), shown: watch::Sender::new(begin) }
    }

    pub fn watch(&self) -> watch::Receiver<State> {
        self.shown.subscribe()
    }

    pub fn set(&self, purpose: Purpose, state: State) {
        let mut both = self.both.lock().unwrap_or_else(PoisonError::into_inner);
        both[purpose as usize] = state;
        let worst = both.iter().max_by_key(|state| severity(state)).unwrap_or(&both[0]).clone();
        // Under the lock, so that what is shown last is what is true last.
        self.shown.send_if_modified(|shown| {
            let differs = *shown != worst;
            *shown = worst;
            differs
        });
    }
}

const fn severity(state: &State) -> u8 {
    match state {
        State::Connected => 0,
        State::Blocked { .. } => 1,
        State::Disconnected { .. } => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worse_of_both_connections_is_shown() {
        let board = Board::new();
        let shown = board.watch();
        board.set(Purpose::Publish, State::Connected);
        assert!(matches!(*shown.borrow(), State::Disconnected { .. }));
        board.set(Purpose::Consume, State::Connected);
        assert_eq!(*shown.borrow(), State::Connected);
        board.set(Purpose::Publish, State::Blocked { reason: "memory".into() });
        assert!(matches!(*shown.borrow(), State::Blocked { .. }));
        board.set(Purpose::Consume, State::Disconnected { reason: "reset".into() });
        assert_eq!(*shown.borrow(), State::Disconnected { reason: "reset".into() });
    }
}
