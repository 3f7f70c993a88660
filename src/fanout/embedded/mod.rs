//! The fan-out of one process: routes and channels in memory.
//!
//! Gateways and workers of `tidings dev` meet here. Nothing is kept: after a start there are no sockets either.

mod acknowledged;
mod devices;
mod leases;
mod presence;
mod routes;
mod subscription;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use self::acknowledged::Positions;
use self::leases::Holders;
use self::presence::LastSeen;
use self::routes::Table;
use self::subscription::Channels;
use super::{Fanout, FanoutError};
use crate::model::{ConversationId, UserId};

/// The fan-out of one process. Clones share everything.
#[derive(Clone, Default)]
pub struct EmbeddedFanout {
    state: Arc<Mutex<State>>,
}

/// Short critical sections without an await between.
#[derive(Default)]
struct State {
    channels: Channels,
    users: Table<UserId>,
    idle: Table<UserId>,
    groups: Table<ConversationId>,
    watchers: Table<UserId>,
    last_seen: LastSeen,
    positions: Positions,
    holders: Holders,
    /// Devices that were registered.
    registered: u64,
}

impl EmbeddedFanout {
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Fanout for EmbeddedFanout {
    async fn ping(&self) -> Result<(), FanoutError> {
        Ok(())
    }
}
