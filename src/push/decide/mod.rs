//! Whether a phone rings. No I/O here: everything that is known goes in, with the time, and a word comes out.

mod hours;
mod reach;

use std::time::Duration;

use crate::fanout::{Acknowledgement, Attention};
use crate::model::{ConversationKind, DeviceId, Entry, Notify, Seq, Timestamp, UserId};
use crate::push::job::Notice;
use crate::store::Recipient;
use crate::telemetry::metrics::PushDecision;

pub use reach::{reached_everywhere, reaches};

/// The operator's part.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How long a user with a socket may take to acknowledge.
    pub ack_deadline: Duration,
    /// For users who have not chosen.
    pub hold_until_unread: Duration,
    /// What is older is given up.
    pub expiry: Duration,
}

/// Why a phone does not ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    Expired,
    /// Deleted, or not theirs to see.
    Deleted,
    Blocked,
    Read,
    Muted,
    Acknowledged,
}

impl Silence {
    pub const fn decision(self) -> PushDecision {
        match self {
            Self::Expired => PushDecision::Expired,
            Self::Deleted => PushDecision::Deleted,
            Self::Blocked => PushDecision::Blocked,
            Self::Read => PushDecision::Read,
            Self::Muted => PushDecision::Muted,
            Self::Acknowledged => PushDecision::Acknowledged,
        }
    }
}

/// What is known of a message and one who is to be told of it.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub notice: &'a Notice,
    pub kind: ConversationKind,
    /// As it stands now; `None` when it is not there any more.
    pub entry: Option<&'a Entry>,
    pub recipient: &'a Recipient,
    pub acknowledged: &'a [Acknowledgement],
    pub now: Timestamp,
}

/// Until when the user may acknowledge, counted from when the message was stored.
pub fn patience(attention: Attention, recipient: Option<&Recipient>, patience: &Patience) -> Duration {
    let wait = match attention {
        Attention::Away | Attention::Idle => Duration::ZERO,
        Attention::Active => patience.ack_deadline,
    };
    let chosen = recipient.and_then(|recipient| recipient.preferences.hold_until_unread);
    wait.max(if recipient.is_some() { chosen.unwrap_or(patience.hold_until_unread) } else { Duration::ZERO })
}

impl Facts<'_> {
    /// Whether this user is to be told at all.
    pub fn judge(&self, expiry: Duration) -> Result<(), Silence> {
        let (notice, recipient) = (self.notice, self.recipient);
        if self.now.since(notice.stored_at()) >= expiry {
            return Err(Silence::Expired);
        }
        let Some(entry) = self.entry.filter(|entry| entry.deleted_at.is_none()) else {
            return Err(Silence::Deleted);
        };
        // Sent again by its sender long after the first time.
        if self.now.since(entry.created_at) >= expiry {
            return Err(Silence::Expired);
        }
        if notice.seq < recipient.first_seq {
            return Err(Silence::Deleted);
        }
        if recipient.blocked.contains(&notice.sender_id) {
            return Err(Silence::Blocked);
        }
        if recipient.read_seq >= notice.seq {
            return Err(Silence::Read);
        }
        if is_muted(recipient, self.mentions(entry), self.now) {
            return Err(Silence::Muted);
        }
        Ok(())
    }

    /// Whether one of the user's devices needs no push.
    pub fn reaches(&self, device: &DeviceId) -> bool {
        reaches(self.acknowledged, self.recipient.seen_seq, device, self.notice.seq)
    }

    /// A direct message speaks to its recipient.
    fn mentions(&self, entry: &Entry) -> bool {
        self.kind == ConversationKind::Direct || entry.body.mentions.contains(&self.recipient.user_id)
    }
}

fn is_muted(recipient: &Recipient, mentioned: bool, now: Timestamp) -> bool {
    let level = match recipient.notify {
        Notify::All => false,
        Notify::Mentions => !mentioned,
        Notify::None => true,
    };
    let muted = recipient.muted_until.is_some_and(|until| until > now);
    let disturbs = recipient.preferences.do_not_disturb.as_ref();
    level || muted || disturbs.is_some_and(|hours| hours::contain(hours, now))
}

/// The messages of a summary that are still worth telling.
pub fn still_new(
    recipient: &Recipient,
    acknowledged: &[Acknowledgement],
    device: &DeviceId,
    of: &[Seq],
) -> Vec<Seq> {
    let new = |seq: &Seq| {
        *seq > recipient.read_seq
            && *seq >= recipient.first_seq
            && !reaches(acknowledged, recipient.seen_seq, device, *seq)
    };
    of.iter().copied().filter(new).collect()
}

/// Whether a summary may not be shown now. What it tells of has passed the levels: `mentions` let only mentions in.
pub fn is_silenced(recipient: &Recipient, now: Timestamp) -> bool {
    is_muted(recipient, true, now)
}

/// Whether a message still belongs into a summary, whatever was decided when it came.
pub fn is_told(recipient: &Recipient, entry: &Entry) -> bool {
    entry.deleted_at.is_none() && !recipient.blocked.contains(&entry.sender_id)
}

/// Whether somebody else than its sender is to be told.
pub fn concerns(notice: &Notice, user: &UserId) -> bool {
    notice.sender_id != *user
}

#[cfg(test)]
mod tests;
