//! Port: leases, by which the processes of a role know of each other.

use async_trait::async_trait;
use std::time::Duration;
use uuid::Uuid;

use super::FanoutError;

/// Who holds the leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LeaseGroup {
    Workers,
    Push,
}

#[async_trait]
pub trait Leases {
    /// Takes or renews a lease, and answers everyone who holds one of this group now, sorted.
    async fn hold(&self, group: LeaseGroup, id: Uuid, ttl: Duration) -> Result<Vec<Uuid>, FanoutError>;

    /// Gives a lease back before it expires.
    async fn release(&self, group: LeaseGroup, id: Uuid) -> Result<(), FanoutError>;
}
