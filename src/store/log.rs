//! Port: the log of every conversation.

use crate::model::{
    ClientId, ConversationId, ConversationKind, Entry, EntryKind, MessageId, NewEntry, Refusal, Role, Seq,
    Timestamp, UserId,
};

use super::StoreError;

/// What became of one entry of a batch.
#[derive(Debug, Clone)]
pub enum Appended {
    Stored(Stored),
    /// The sender may not, or it does not fit: it has no seq and changed nothing.
    Refused(Refusal),
}

/// An entry that is in the log.
#[derive(Debug, Clone)]
pub struct Stored {
    pub seq: Seq,
    pub id: MessageId,
    pub kind: ConversationKind,
    /// The seq of the conversation's last change of members, this entry included.
    pub members_seq: Seq,
    pub audience: Audience,
    /// Set when the entry was there already (a redelivery, or the sender sent it again): what was stored
    /// then, which is what is to be fanned out now.
    pub original: Option<Box<Entry>>,
}

/// Whom a stored entry is for, beside the members of the conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audience {
    /// Those who became members by it; a subset of the entry's `user_ids`.
    pub joined: Vec<UserId>,
    /// Those who are members no longer because of it.
    pub left: Vec<UserId>,
}

/// Which part of a log to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// The last ones, or those just before a seq.
    Before(Seq),
    /// Those just after a seq.
    After(Seq),
}

/// A piece of one conversation's log as one user may read it.
#[derive(Debug, Clone)]
pub struct Span {
    pub conversation_id: ConversationId,
    pub user_id: UserId,
    /// Entries above this seq,
    pub after: Seq,
    /// and up to this one.
    pub up_to: Seq,
    pub limit: usize,
}

/// A page of history.
#[derive(Debug, Clone)]
pub struct HistoryPage {
    /// Ascending, as they stand now: edits and deletes applied, reactions summed up.
    pub entries: Vec<Entry>,
    /// More in the direction that was read.
    pub has_more: bool,
    /// Where history begins for this user.
    pub first_seq: Seq,
}

/// As much of an entry as deciding about an edit, delete or reaction needs.
#[derive(Debug, Clone)]
pub struct Target {
    pub kind: EntryKind,
    pub sender_id: UserId,
    pub deleted: bool,
    /// The role of the user who asks.
    pub role: Role,
}

#[async_trait::async_trait]
pub trait Log {
    /// Appends a batch in one transaction, each conversation's entries in their order, and says what became of each.
    ///
    /// A transaction makes missing users, direct conversations and their members first (`create`, `provision`); locks the
    /// conversations in the order of their ids; then, seeing what others committed before the lock, checks the sender's right
    /// to write (member; in a channel owner or admin; direct: not blocked by the peer), finds what is there already by
    /// (conversation, sender, client_id), also within the batch, and gives the rest the next seqs. Member, title, edit, delete
    /// and reaction entries take their effect in the same transaction. Sending moves the sender's read position to the new seq.
    ///
    /// A deadlock or a race with another writer is repeated inside.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when some entry can never be stored: nothing of the batch was; try its halves.
    async fn append(&self, batch: &[NewEntry]) -> Result<Vec<Appended>, StoreError>;

    /// A page of history; `None` when the user is not a member. `limit` is at least 1.
    async fn history(
        &self,
        id: ConversationId,
        user: &UserId,
        range: Range,
        limit: usize,
    ) -> Result<Option<HistoryPage>, StoreError>;

    /// The oldest `limit` entries of each span, ascending, in the order of `spans`; empty where the user is not a member.
    /// Nothing below where history begins for the user.
    async fn spans(&self, spans: &[Span]) -> Result<Vec<Vec<Entry>>, StoreError>;

    /// The entry at `seq` as the member `user` may judge it; `None` when it is not there or not theirs to see.
    async fn target(&self, id: ConversationId, user: &UserId, seq: Seq)
    -> Result<Option<Target>, StoreError>;

    /// The stored entry that this sender named so.
    async fn find(
        &self,
        id: ConversationId,
        sender: &UserId,
        client_id: ClientId,
    ) -> Result<Option<Entry>, StoreError>;

    /// Deletes at most `limit` of the oldest entries of conversations that were created before `before`, and moves where history begins;
    /// answers how many went.
    async fn expire(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError>;
}
