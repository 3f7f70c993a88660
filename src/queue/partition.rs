//! Partitions: each conversation belongs to one, so it has one writer and an order.

use std::fmt;
use std::num::NonZeroU16;

use xxhash_rust::xxh3::xxh3_64;

use crate::model::ConversationId;

/// One of the partitions, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition(u16);

impl Partition {
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// How many partitions there are; every process of a cluster must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partitions(NonZeroU16);

impl Partitions {
    pub const fn new(count: NonZeroU16) -> Self {
        Self(count)
    }

    pub const fn count(self) -> usize {
        self.0.get() as usize
    }

    /// Where a conversation's entries go. The hash must never change: entries of one conversation in two
    /// partitions at once lose their order.
    pub fn of(self, conversation: ConversationId) -> Partition {
        let hash = xxh3_64(conversation.as_uuid().as_bytes());
        Partition((hash % u64::from(self.0.get())) as u16)
    }

    pub fn all(self) -> impl Iterator<Item = Partition> {
        (0..self.0.get()).map(Partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_conversation_keeps_its_partition_across_releases() {
        let partitions = Partitions::new(NonZeroU16::new(16).unwrap());
        let ids = [1_u128, 2, 3, 0xffff_0000_ffff].map(|id| ConversationId::from_uuid(Uuid::from_u128(id)));
        assert_eq!(ids.map(|id| partitions.of(id).index()), [11, 15, 3, 15]);
    }

    #[test]
    fn conversations_spread_over_all_partitions() {
        let partitions = Partitions::new(NonZeroU16::new(4).unwrap());
        let mut counts = [0; 4];
        for _ in 0..4000 {
            counts[partitions.of(ConversationId::new()).index()] += 1;
        }
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
    }
}
