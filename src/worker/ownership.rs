//! Which partitions this worker consumes.
//!
//! The broker would give every partition to whoever came first. So workers hold leases, and every worker computes from the same
//! list of leases the same owner of each partition: rendezvous hashing, bounded so that no worker has more than its share.
//! Two workers that see different lists for a moment do no harm: the broker lets one of them consume.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use crate::config;
use crate::fanout::{Fanout, LeaseGroup};
use crate::queue::{Partition, Partitions};

pub(super) struct Ownership {
    fanout: Arc<dyn Fanout>,
    partitions: Partitions,
    id: Uuid,
    ttl: Duration,
    timeout: Duration,
    /// The last list of leases that could be read, and when.
    known: Option<(Instant, Vec<Uuid>)>,
}

impl Ownership {
    pub fn new(fanout: Arc<dyn Fanout>, partitions: Partitions, settings: &config::Worker) -> Self {
        Self {
            fanout,
            partitions,
            id: super::new_worker_id(),
            ttl: settings.lease_ttl,
            timeout: settings.lease_interval,
            known: None,
        }
    }

    /// Renews the lease and answers what this worker is to consume now.
    ///
    /// While leases cannot be read nobody knows who is alive, so after their time every worker stands by for every partition and
    /// the broker chooses: better one worker with all the load than a dead one's share with none.
    pub async fn decide(&mut self) -> Vec<Partition> {
        let held = self.fanout.hold(LeaseGroup::Workers, self.id, self.ttl);
        match tokio::time::timeout(self.timeout, held).await {
            Ok(Ok(holders)) => {
                if self.known.as_ref().is_none_or(|(_, known)| *known != holders) {
                    tracing::info!(workers = holders.len(), "worker.leases");
                }
                self.known = Some((Instant::now(), holders));
            }
            Ok(Err(error)) => tracing::warn!(%error, "worker.lease"),
            Err(_) => tracing::warn!(timeout = ?self.timeout, "worker.lease"),
        }
        match &self.known {
            Some((at, holders)) if at.elapsed() < self.ttl => {
                let owners = assign(self.partitions, holders);
                self.partitions.all().filter(|partition| owners.get(partition) == Some(&self.id)).collect()
            }
            Some(_) | None => self.partitions.all().collect(),
        }
    }

    /// Whether this worker does what one of them is to do: the one with the lowest id, while that is known.
    pub fn leads(&self) -> bool {
        let current = self.known.as_ref().filter(|(at, _)| at.elapsed() < self.ttl);
        current.is_some_and(|(_, holders)| holders.iter().min() == Some(&self.id))
    }

    /// Gives the lease back, so that the others take over at once.
    pub async fn release(self) {
        let released = self.fanout.release(LeaseGroup::Workers, self.id);
        match tokio::time::timeout(self.timeout, released).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "worker.release_lease"),
            Err(_) => tracing::warn!(timeout = ?self.timeout, "worker.release_lease"),
        }
    }
}

/// The owner of each partition: the worker that scores highest for it among those that have not their share yet.
fn assign(partitions: Partitions, workers: &[Uuid]) -> HashMap<Partition, Uuid> {
    let mut owners = HashMap::new();
    if workers.is_empty() {
        return owners;
    }
    let share = partitions.count().div_ceil(workers.len());
    let mut load: HashMap<Uuid, usize> = HashMap::new();
    for partition in partitions.all() {
        let free = workers.iter().filter(|worker| load.get(worker).copied().unwrap_or(0) < share);
        if let Some(owner) = free.max_by_key(|worker| score(partition, **worker)) {
            *load.entry(*owner).or_default() += 1;
            owners.insert(partition, *owner);
        }
    }
    owners
}

fn score(partition: Partition, worker: Uuid) -> (u64, Uuid) {
    let mut key = [0; 24];
    key[..16].copy_from_slice(worker.as_bytes());
    key[16..].copy_from_slice(&(partition.index() as u64).to_be_bytes());
    (xxh3_64(&key), worker)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU16;

    fn partitions(count: u16) -> Partitions {
        Partitions::new(NonZeroU16::new(count).unwrap())
    }

    #[test]
    fn every_partition_has_one_owner_and_no_worker_more_than_its_share() {
        for count in [1, 2, 4, 7, 16] {
            for size in 1..=5_u128 {
                let workers: Vec<Uuid> = (1..=size).map(Uuid::from_u128).collect();
                let owners = assign(partitions(count), &workers);
                assert_eq!(owners.len(), usize::from(count));
                for worker in &workers {
                    let owned = owners.values().filter(|owner| *owner == worker).count();
                    assert!(owned <= usize::from(count).div_ceil(workers.len()), "{count} {size} {owned}");
                }
            }
        }
    }

    #[test]
    fn most_partitions_stay_where_they_are_when_a_worker_comes() {
        let before = assign(partitions(64), &[1, 2, 3].map(Uuid::from_u128));
        let after = assign(partitions(64), &[1, 2, 3, 4].map(Uuid::from_u128));
        let moved = before.iter().filter(|(partition, owner)| after[partition] != **owner).count();
        assert!(moved <= 40, "{moved} of 64 moved");
    }

    #[test]
    fn without_workers_nobody_owns() {
        assert!(assign(partitions(4), &[]).is_empty());
    }
}
