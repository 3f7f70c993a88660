//! Texts of busy direct conversations: stored at once in one place, moved to their own places together.
//!
//! A text at its place changes a page of the log, one of its index and one of its conversation, wherever these are, so 6 KB are
//! written for 200 bytes, and again at the checkpoint. So a large batch of texts is stored as one row of the table `journal`, and a
//! conversation's texts go where they belong some time later, several at once. Nobody sees the difference: whoever reads or
//! changes a conversation has its texts moved first, and a start finds them in the table. Small batches do without.

mod state;
#[cfg(test)]
mod tests;
mod waiting;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use rusqlite::Connection;

use self::state::State;
use super::append;
use crate::model::{ConversationId, EntryKind, NewEntry, UserId};
use crate::store::{Appended, StoreError};

/// Which logs a call needs in their places.
#[derive(Debug, Clone)]
pub(in super::super) enum Touched {
    Nothing,
    Conversations(Vec<ConversationId>),
    /// The direct conversations of these users.
    Users(Vec<UserId>),
    Everything,
}

/// The journal of one database. All changes happen on the thread that writes, inside its transactions.
pub(in super::super) struct Journal {
    state: Mutex<State>,
    /// Something may be in it. Cleared only once a commit is known to have emptied it.
    open: AtomicBool,
}

/// Answered by [`Journal::fold`], for [`Journal::committed`].
pub(in super::super) struct Moved {
    /// Batches that the journal had taken until then; `None` when something is left.
    emptied_at: Option<u64>,
}

/// A smaller batch goes to its places at once: what a quiet server writes is never moved.
const LARGE: usize = 8;

impl Default for Journal {
    fn default() -> Self {
        // What the last process left is found at the first call.
        Self { state: Mutex::default(), open: AtomicBool::new(true) }
    }
}

impl Journal {
    /// Stores a batch; where, is nobody's business.
    pub(super) fn append(
        &self,
        connection: &Connection,
        batch: &Arc<[NewEntry]>,
    ) -> Result<Vec<Appended>, StoreError> {
        self.change(connection, |state| {
            if batch.len() >= LARGE && state.takes(connection, batch)? {
                self.open.store(true, Ordering::Release);
                let outcomes = state.keep(connection, batch)?;
                state.fold_due(connection, batch.len())?;
                return Ok(outcomes);
            }
            // Deleting blanks texts wherever they are.
            let texts = batch.iter().all(|entry| entry.kind == EntryKind::Text);
            let ids = batch.iter().map(|entry| entry.conversation_id);
            let touched = if texts { Touched::Conversations(ids.collect()) } else { Touched::Everything };
            state.give_way(connection, &touched)?;
            state.fold_due(connection, LARGE)?;
            append::append(connection, batch)
        })
    }

    /// Before a call that may change these conversations: their texts are moved, and what is known of them forgotten.
    pub(in super::super) fn give_way(
        &self,
        connection: &Connection,
        touched: &Touched,
    ) -> Result<(), StoreError> {
        if matches!(touched, Touched::Nothing) {
            return Ok(());
        }
        self.change(connection, |state| state.give_way(connection, touched))
    }

    /// Whether a reader of these logs has to [`Self::fold`] first.
    pub(in super::super) fn may_hold(&self, touched: &Touched) -> bool {
        !matches!(touched, Touched::Nothing) && self.open.load(Ordering::Acquire)
    }

    /// Moves texts to their places.
    pub(in super::super) fn fold(
        &self,
        connection: &Connection,
        touched: &Touched,
    ) -> Result<Moved, StoreError> {
        self.change(connection, |state| {
            state.fold(connection, touched)?;
            Ok(Moved { emptied_at: state.is_empty().then(|| state.taken()) })
        })
    }

    /// The transaction of a fold is on the disk: readers need not ask again when it emptied the journal and nothing came since.
    ///
    /// Never waits: the writer may be moving much just now, and the next reader can say the same.
    pub(in super::super) fn committed(&self, moved: &Moved) {
        let Some(emptied_at) = moved.emptied_at else { return };
        let state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if state.is_empty() && emptied_at == state.taken() {
            self.open.store(false, Ordering::Release);
        }
    }

    /// Runs a change on a state that agrees with the tables; a failure makes the next one read the tables anew.
    fn change<T>(
        &self,
        connection: &Connection,
        change: impl FnOnce(&mut State) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut state = self.state();
        state.enter(connection)?;
        let result = change(&mut state)?;
        state.leave(connection)?;
        Ok(result)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
