//! One push to one phone, as the jobs of a provider's lane ask for it.

use std::collections::HashSet;
use std::sync::Arc;

use crate::model::{ConversationId, Seq, Timestamp};
use crate::push::board::{ScreenKey, Screens};
use crate::push::job::{Claim, Clear, Job, Notice, Phone, Ring, Summary};

#[derive(Debug, Clone)]
pub(super) enum Item {
    Ring { notice: Arc<Notice>, phone: Phone, attempts: u32, claim: Claim, redelivered: bool },
    Summary { summary: Summary, redelivered: bool },
    Clear(Clear),
}

impl Item {
    pub fn of(job: Job, redelivered: bool) -> Vec<Self> {
        match job {
            Job::Ring(rings) => rings.into_iter().flat_map(|one| ring(one, redelivered)).collect(),
            Job::Summary(summary) => vec![Self::Summary { summary, redelivered }],
            Job::Clear(clear) => vec![Self::Clear(clear)],
            Job::Stored(_) | Job::Waiting(_) | Job::Read(_) | Job::Probe(_) => {
                tracing::error!("push.deliver: a job that is to be decided is dropped");
                Vec::new()
            }
        }
    }

    pub fn phone(&self) -> &Phone {
        match self {
            Self::Ring { phone, .. } => phone,
            Self::Summary { summary, .. } => &summary.phone,
            Self::Clear(clear) => &clear.phone,
        }
    }

    pub fn conversation_id(&self) -> ConversationId {
        match self {
            Self::Ring { notice, .. } => notice.conversation_id,
            Self::Summary { summary, .. } => summary.conversation_id,
            Self::Clear(clear) => clear.conversation_id,
        }
    }

    pub fn screen(&self) -> ScreenKey {
        ScreenKey { user_id: self.phone().user_id.clone(), conversation_id: self.conversation_id() }
    }

    /// Gives up a ring's claim: it is settled, and what it was for is not delivered.
    pub fn release(&self, screens: &mut Screens) {
        if let Self::Ring { notice, phone, claim, .. } = self {
            screens.of(&phone.device_id).release(notice.seq, *claim);
        }
    }

    /// From when on it grows old.
    pub fn since(&self) -> Timestamp {
        match self {
            Self::Ring { notice, .. } => notice.stored_at(),
            Self::Summary { summary, .. } => Timestamp::from_millis(summary.since_ms),
            Self::Clear(clear) => Timestamp::from_millis(clear.since_ms),
        }
    }

    pub fn attempts(&self) -> u32 {
        match self {
            Self::Ring { attempts, .. } => *attempts,
            Self::Summary { summary, .. } => summary.attempts,
            Self::Clear(clear) => clear.attempts,
        }
    }

    /// Whether a request may have been made for it whose answer nobody heard, or heard without knowing: the phone may show it.
    pub fn may_be_shown(&self) -> bool {
        let redelivered = match self {
            Self::Ring { redelivered, .. } | Self::Summary { redelivered, .. } => *redelivered,
            Self::Clear(_) => false,
        };
        redelivered || self.attempts() > 0
    }

    /// Tells its phone how far was read elsewhere.
    pub fn clear(&self, seq: Seq, now: Timestamp) -> Job {
        let (conversation_id, phone) = (self.conversation_id(), self.phone().clone());
        Job::Clear(Clear { conversation_id, seq, phone, since_ms: now.as_millis(), attempts: 0 })
    }

    /// The job that asks for this alone, after so many attempts.
    pub fn job(&self, after: u32) -> Job {
        match self {
            Self::Ring { notice, phone, claim, .. } => {
                let (notice, to) = (Notice::clone(notice), vec![phone.clone()]);
                Job::Ring(vec![Ring { notice, to, attempts: after, claim: *claim }])
            }
            Self::Summary { summary, .. } => Job::Summary(Summary { attempts: after, ..summary.clone() }),
            Self::Clear(clear) => Job::Clear(Clear { attempts: after, ..clear.clone() }),
        }
    }
}

fn ring(ring: Ring, redelivered: bool) -> impl Iterator<Item = Item> {
    let (notice, attempts, claim) = (Arc::new(ring.notice), ring.attempts, ring.claim);
    ring.to.into_iter().map(move |phone| {
        let notice = Arc::clone(&notice);
        Item::Ring { notice, phone, attempts, claim, redelivered }
    })
}

/// The places of rings that an earlier place has too: the same message for the same device.
pub(super) fn copies(items: &[Item]) -> HashSet<usize> {
    let mut seen = HashSet::new();
    let rings = items.iter().enumerate().filter_map(|(place, item)| match item {
        Item::Ring { notice, phone, .. } => {
            Some((place, (notice.conversation_id, notice.seq, &phone.user_id, &phone.device_id)))
        }
        Item::Summary { .. } | Item::Clear(_) => None,
    });
    rings.filter(|(_, ring)| !seen.insert(*ring)).map(|(place, _)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DeviceId, MessageId, UserId};

    #[test]
    fn a_job_that_is_there_twice_rings_each_phone_once() {
        let notice = Notice {
            conversation_id: ConversationId::new(),
            seq: Seq::new(1),
            id: MessageId::new(),
            sender_id: UserId::parse("ann").unwrap(),
            peer: None,
            stored_ms: 0,
            push: None,
        };
        let phone = |device: &str| Phone {
            user_id: UserId::parse("bob").unwrap(),
            device_id: DeviceId::parse(device).unwrap(),
        };
        let ring =
            Ring { notice, to: vec![phone("phone"), phone("tablet")], attempts: 0, claim: Claim::default() };
        let items = Item::of(Job::Ring(vec![ring.clone(), ring]), false);
        assert_eq!(copies(&items), HashSet::from([2, 3]));
    }
}
