//! A run of texts as the columns that statements take: the hot path.

use std::collections::HashMap;

use uuid::Uuid;

use super::super::error::Failure;
use super::create::opened_with;
use super::rows::extra;
use crate::model::{Body, ClientId, ConversationId, Entry, EntryKind, MessageId, NewEntry, Seq, UserId};
use crate::store::{Appended, Stored};

/// What repeats an earlier one of the run is left out.
pub(super) struct Texts<'a> {
    /// The entries that go to the database, in their order,
    pub(super) entries: Vec<&'a NewEntry>,
    /// and for each entry of the run which of them it is.
    places: Vec<usize>,
    pub(super) ids: Vec<MessageId>,
    pub(super) conversations: Vec<Uuid>,
    pub(super) senders: Vec<&'a str>,
    pub(super) client_ids: Vec<Uuid>,
    pub(super) uuids: Vec<Uuid>,
    pub(super) texts: Vec<Option<&'a str>>,
    pub(super) data: Vec<Option<&'a str>>,
    pub(super) extras: Vec<Option<String>>,
    pub(super) received: Vec<i64>,
    /// With whom the entry opens the conversation.
    pub(super) openers: Vec<Option<&'a str>>,
}

impl<'a> Texts<'a> {
    pub(super) fn of(run: &'a [NewEntry]) -> Self {
        let mut seen: HashMap<(ConversationId, &UserId, ClientId), usize> = HashMap::with_capacity(run.len());
        let mut entries = Vec::with_capacity(run.len());
        let mut places = Vec::with_capacity(run.len());
        for entry in run {
            let key = (entry.conversation_id, &entry.sender_id, entry.client_id);
            let place = *seen.entry(key).or_insert_with(|| {
                entries.push(entry);
                entries.len() - 1
            });
            places.push(place);
        }
        let ids: Vec<MessageId> = entries.iter().map(|_| MessageId::new()).collect();
        Self {
            places,
            conversations: column(&entries, |entry| entry.conversation_id.as_uuid()),
            senders: column(&entries, |entry| entry.sender_id.as_str()),
            client_ids: column(&entries, |entry| entry.client_id.as_uuid()),
            uuids: ids.iter().map(MessageId::as_uuid).collect(),
            ids,
            texts: column(&entries, |entry| entry.body.text.as_deref()),
            data: column(&entries, |entry| entry.body.data.as_deref().map(|data| data.get())),
            extras: column(&entries, |entry| extra(&entry.body)),
            received: column(&entries, |entry| entry.received_ms),
            openers: column(&entries, |entry| opened_with(entry).map(UserId::as_str)),
            entries,
        }
    }

    /// From the outcomes of `entries` to those of the whole run.
    pub(super) fn spread(&self, outcomes: &[Appended]) -> Result<Vec<Appended>, Failure> {
        let mut taken = vec![false; self.entries.len()];
        self.places
            .iter()
            .map(|&place| {
                let outcome = outcomes.get(place).ok_or(Failure::Unknown("an outcome"))?.clone();
                let repeats = std::mem::replace(&mut taken[place], true);
                Ok(if repeats { self.repeated(place, outcome) } else { outcome })
            })
            .collect()
    }

    /// The outcome of an entry that was in the same run before, with that `outcome`.
    fn repeated(&self, place: usize, outcome: Appended) -> Appended {
        match outcome {
            Appended::Stored(stored) if stored.original.is_none() => {
                let original = stored_entry(self.entries[place], stored.seq, stored.id);
                Appended::Stored(Stored { original: Some(Box::new(original)), ..stored })
            }
            other => other,
        }
    }
}

fn column<'a, T>(entries: &[&'a NewEntry], value: impl Fn(&'a NewEntry) -> T) -> Vec<T> {
    entries.iter().map(|entry| value(entry)).collect()
}

/// The entry as it stands in the log when nothing has changed it yet.
pub(super) fn stored_entry(new: &NewEntry, seq: Seq, id: MessageId) -> Entry {
    Entry {
        conversation_id: new.conversation_id,
        seq,
        id,
        kind: new.kind,
        sender_id: new.sender_id.clone(),
        client_id: Some(new.client_id),
        body: Body { target_seq: None, ..new.body.clone() },
        created_at: new.received_at(),
        edited_at: None,
        deleted_at: None,
        reactions: Vec::new(),
    }
}

/// Whether an entry takes the hot path.
pub(super) const fn is_text(entry: &NewEntry) -> bool {
    matches!(entry.kind, EntryKind::Text)
}
