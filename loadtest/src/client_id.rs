//! Client ids that say who they are: a valid UUIDv7 whose time is the *scheduled* time of the
//! send and whose random part is the run and the number of the send. So every frame that carries
//! a `client_id` can be matched and timed without a table of what is under way.

use uuid::Uuid;

/// Which run (24 bits) and which shard of it (6 bits) a send belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(u32);

impl Tag {
    pub fn new(run: u32, shard: u32) -> Self {
        Self(((run & 0xff_ffff) << 6) | (shard & 0x3f))
    }

    /// True when both belong to the same run, whichever shard sent.
    pub fn same_run(self, other: Tag) -> bool {
        self.0 >> 6 == other.0 >> 6
    }
}

/// What a client id says about its send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub tag: Tag,
    pub index: u32,
    /// Scheduled time, microseconds since the Unix epoch.
    pub at_us: u64,
}

impl Mark {
    pub fn encode(self) -> Uuid {
        let high = ((self.at_us / 1000) << 16) | (0x7 << 12) | (self.at_us % 1000);
        let low = (0b10 << 62) | (u64::from(self.tag.0) << 32) | u64::from(self.index);
        Uuid::from_u64_pair(high, low)
    }

    /// `None` for an id that `encode` cannot have made.
    pub fn decode(id: Uuid) -> Option<Self> {
        let (high, low) = id.as_u64_pair();
        let fraction = high & 0xfff;
        if (high >> 12) & 0xf != 7 || low >> 62 != 0b10 || fraction > 999 {
            return None;
        }
        Some(Self {
            tag: Tag((low >> 32) as u32 & 0x3fff_ffff),
            index: low as u32,
            at_us: (high >> 16) * 1000 + fraction,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_survives_its_uuid() {
        let mark = Mark { tag: Tag::new(0xab_cdef, 63), index: u32::MAX - 7, at_us: 1_790_000_000_123_999 };
        let id = mark.encode();
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(Mark::decode(id), Some(mark));
    }

    #[test]
    fn a_foreign_uuid_is_not_a_mark_of_this_run() {
        let tag = Tag::new(1, 0);
        let foreign = Mark::decode(Uuid::new_v4());
        assert!(foreign.is_none_or(|mark| !mark.tag.same_run(tag)));
    }
}
