//! Port: what deciding about pushes has to know, and what became of each.

use std::time::Duration;

use crate::model::{
    ConversationId, ConversationKind, Device, DeviceId, Entry, NewEntry, Notify, Seq, Timestamp, UserId,
};

use super::{StoreError, Stored};

/// Whose view is asked for.
#[derive(Debug, Clone)]
pub struct RecipientsOf {
    pub conversation_id: ConversationId,
    /// `None`: every member who has a device that can be reached.
    pub only: Option<Vec<UserId>>,
}

/// A conversation with those of its members who can be reached by push.
#[derive(Debug, Clone)]
pub struct Ringable {
    pub kind: ConversationKind,
    pub title: Option<String>,
    pub member_count: i64,
    /// By user id. Nobody who is deactivated, is no member (any more) or has no device that can be reached.
    pub recipients: Vec<Recipient>,
}

/// A member as deciding sees them.
#[derive(Debug, Clone)]
pub struct Recipient {
    pub user_id: UserId,
    /// In force: chosen, or the default of the conversation's size.
    pub notify: Notify,
    pub muted_until: Option<Timestamp>,
    /// Where history begins for them: nothing below it is theirs.
    pub first_seq: Seq,
    pub read_seq: Seq,
    /// What a device acknowledged while somebody looked at it, as the store knows: the fan-out may have forgotten.
    pub seen_seq: Seq,
    /// Those whom they blocked, of the asked conversation's members and of those who left it and wrote in it.
    pub blocked: Vec<UserId>,
    pub preferences: PushPreferences,
    /// Neither disabled nor quarantined; by device id.
    pub devices: Vec<Device>,
}

/// What a user wishes for all of their phones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PushPreferences {
    /// No alert at these hours.
    pub do_not_disturb: Option<DoNotDisturb>,
    /// Ring only for what no device has read after this long; `None`: as configured.
    pub hold_until_unread: Option<Duration>,
}

/// Daily hours in a time zone; an end before the begin is on the next day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoNotDisturb {
    /// Minutes since midnight, 0 to 1439.
    pub from_minute: u16,
    pub until_minute: u16,
    /// A name of the IANA database, such as `Europe/Berlin`.
    pub time_zone: String,
}

/// What became of the push of one message to one device, for `trace` and against a second push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushTrace {
    pub conversation_id: ConversationId,
    pub seq: Seq,
    pub user_id: UserId,
    pub device_id: DeviceId,
    /// `waiting`, `sent`, or why not: `acknowledged`, `read`, `muted`, `expired`, `budget`, …
    pub decision: String,
    pub decided_at: Timestamp,
    /// The last attempt.
    pub provider: Option<String>,
    pub attempts: u32,
    pub answered_at: Option<Timestamp>,
    /// The provider's own words, cut.
    pub status: Option<u16>,
    pub answer: Option<String>,
}

/// Of what the push stage may not have been told.
#[derive(Debug, Default)]
pub struct Untold {
    pub texts: Vec<(NewEntry, Stored)>,
    pub unreadable: Vec<Unreadable>,
}

/// Something that was remembered and cannot be read: of another release, or damaged.
#[derive(Debug)]
pub struct Unreadable {
    /// Names it to [`Pushes::forget_unreadable`].
    pub row: i64,
    pub bytes: Vec<u8>,
    pub reason: String,
}

#[async_trait::async_trait]
pub trait Pushes {
    /// Who could be reached in each of these conversations, in their order; `None` for one that is not there.
    async fn recipients(&self, of: &[RecipientsOf]) -> Result<Vec<Option<Ringable>>, StoreError>;

    /// These entries as they stand now (edits and deletes applied), in their order; `None` for those that are not there.
    async fn entries(&self, of: &[(ConversationId, Seq)]) -> Result<Vec<Option<Entry>>, StoreError>;

    /// How far each of these users has read, in their order; `None` for who is no member.
    async fn read_seqs(&self, of: &[(ConversationId, UserId)]) -> Result<Vec<Option<Seq>>, StoreError>;

    /// Stored texts of which the push stage may not have been told, for the start of a worker: where the queue forgets a batch with its
    /// process, the store remembers it until [`Self::told`].
    async fn untold(&self) -> Result<Untold, StoreError> {
        Ok(Untold::default())
    }

    /// What [`Self::untold`] could not read is put aside, and nobody is to find it again.
    async fn forget_unreadable(&self, row: i64) -> Result<(), StoreError> {
        let _ = row;
        Ok(())
    }

    /// The push stage has the job of these texts, or nobody concerned has a device. Nothing to wait for: told twice does no harm.
    async fn told(&self, of: &[(ConversationId, Seq)]) {
        let _ = of;
    }

    async fn push_preferences(&self, user: &UserId) -> Result<Option<PushPreferences>, StoreError>;

    /// Replaces a user's preferences; `false` when there is no such user.
    async fn set_push_preferences(
        &self,
        user: &UserId,
        preferences: &PushPreferences,
    ) -> Result<bool, StoreError>;

    /// Notes what became of pushes; the last word about one (message, device) stands.
    async fn trace_pushes(&self, traces: &[PushTrace]) -> Result<(), StoreError>;

    /// What became of one message's pushes, by user and device.
    async fn pushes_of(&self, id: ConversationId, seq: Seq) -> Result<Vec<PushTrace>, StoreError>;

    /// Deletes at most `limit` traces of decisions before `before`; answers how many.
    async fn forget_pushes(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError>;
}
