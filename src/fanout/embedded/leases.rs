//! Leases in memory.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use uuid::Uuid;

use super::EmbeddedFanout;
use crate::fanout::{FanoutError, LeaseGroup, Leases};

#[derive(Default)]
pub(super) struct Holders(BTreeMap<(LeaseGroup, Uuid), Instant>);

#[async_trait]
impl Leases for EmbeddedFanout {
    async fn hold(&self, group: LeaseGroup, id: Uuid, ttl: Duration) -> Result<Vec<Uuid>, FanoutError> {
        let now = Instant::now();
        let holders = &mut self.state().holders.0;
        holders.insert((group, id), now + ttl);
        holders.retain(|_, expires| *expires > now);
        Ok(holders.keys().filter(|(of, _)| *of == group).map(|(_, id)| *id).collect())
    }

    async fn release(&self, group: LeaseGroup, id: Uuid) -> Result<(), FanoutError> {
        self.state().holders.0.remove(&(group, id));
        Ok(())
    }
}
