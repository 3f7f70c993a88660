//! Which sockets here want to know of whose presence.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::session::Session;
use crate::model::{SessionId, UserId};

#[derive(Default)]
pub struct Watchers(Mutex<State>);

#[derive(Default)]
struct State {
    by_user: HashMap<UserId, HashMap<SessionId, Weak<Session>>>,
    by_session: HashMap<SessionId, HashSet<UserId>>,
}

impl Watchers {
    /// The socket watches these users from now on; answers those whom nobody here watched before.
    pub fn watch(&self, session: &Arc<Session>, users: &[UserId], limit: usize) -> Vec<UserId> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fresh = Vec::new();
        for user in users {
            let watched = state.by_session.entry(session.id).or_default();
            if watched.len() >= limit || !watched.insert(user.clone()) {
                continue;
            }
            let sessions = state.by_user.entry(user.clone()).or_default();
            if sessions.is_empty() {
                fresh.push(user.clone());
            }
            sessions.insert(session.id, Arc::downgrade(session));
        }
        fresh
    }

    /// The socket is gone; answers those whom nobody here watches any more.
    pub fn forget(&self, session: SessionId) -> Vec<UserId> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let users = state.by_session.remove(&session).unwrap_or_default();
        let mut free = Vec::new();
        for user in users {
            if let Some(sessions) = state.by_user.get_mut(&user) {
                sessions.remove(&session);
                if sessions.is_empty() {
                    state.by_user.remove(&user);
                    free.push(user);
                }
            }
        }
        free
    }

    /// Everybody who is watched here.
    pub fn all(&self) -> Vec<UserId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).by_user.keys().cloned().collect()
    }

    pub fn of(&self, user: &UserId) -> Vec<Arc<Session>> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state
            .by_user
            .get(user)
            .map(|sessions| sessions.values().filter_map(Weak::upgrade).collect())
            .unwrap_or_default()
    }
}
