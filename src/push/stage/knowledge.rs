//! What is known of messages and people while some jobs are worked on: few questions, each for many.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::fanout::{Acknowledgement, Attention, Fanout};
use crate::model::{ConversationId, Entry, Seq, UserId};
use crate::store::{Recipient, RecipientsOf, Ringable, Store, StoreError};

/// Users asked for in one pipeline.
const PIPELINE: usize = 1000;

/// Everything that was asked so far.
#[derive(Default)]
pub struct Knowledge {
    attention: HashMap<UserId, Attention>,
    acknowledged: HashMap<(UserId, ConversationId), Vec<Acknowledgement>>,
    ringable: HashMap<ConversationId, Ringable>,
    entries: HashMap<(ConversationId, Seq), Entry>,
}

/// Whom a question to the store is about: `None` for everybody in the conversation.
pub type Wanted = BTreeMap<ConversationId, Option<BTreeSet<UserId>>>;

impl Knowledge {
    /// Asks who is there and what they acknowledged, of some anew. While the fan-out is away everybody counts as there, and what the
    /// store knows decides.
    pub async fn ask_fanout(
        &mut self,
        fanout: &dyn Fanout,
        of: impl IntoIterator<Item = (UserId, ConversationId)>,
    ) {
        let mut seen = HashSet::new();
        let pairs: Vec<(UserId, ConversationId)> =
            of.into_iter().filter(|pair| seen.insert(pair.clone())).collect();
        for pairs in pairs.chunks(PIPELINE) {
            let users: BTreeSet<&UserId> = pairs.iter().map(|(user, _)| user).collect();
            let users: Vec<UserId> = users.into_iter().cloned().collect();
            let (attention, acknowledged) =
                tokio::join!(fanout.attention(&users), fanout.acknowledged(pairs));
            match attention {
                Ok(attention) => self.attention.extend(users.into_iter().zip(attention)),
                Err(error) => tracing::warn!(%error, "push.attention"),
            }
            match acknowledged {
                Ok(known) => self.acknowledged.extend(pairs.iter().cloned().zip(known)),
                Err(error) => tracing::warn!(%error, "push.acknowledged"),
            }
        }
    }

    /// Asks who can be rung and what the messages are now.
    pub async fn ask_store(
        &mut self,
        store: &dyn Store,
        whom: Wanted,
        entries: BTreeSet<(ConversationId, Seq)>,
    ) -> Result<(), StoreError> {
        let of: Vec<RecipientsOf> = whom
            .into_iter()
            .map(|(conversation_id, only)| RecipientsOf {
                conversation_id,
                only: only.map(|only| only.into_iter().collect()),
            })
            .collect();
        let places: Vec<(ConversationId, Seq)> = entries.into_iter().collect();
        if of.is_empty() && places.is_empty() {
            return Ok(());
        }
        let (ringable, entries) = tokio::try_join!(store.recipients(&of), store.entries(&places))?;
        for (asked, found) in of.iter().zip(ringable) {
            if let Some(found) = found {
                self.ringable.insert(asked.conversation_id, found);
            }
        }
        let found = places.into_iter().zip(entries);
        self.entries.extend(found.filter_map(|(place, entry)| Some((place, entry?))));
        Ok(())
    }

    pub fn attention(&self, user: &UserId) -> Attention {
        self.attention.get(user).copied().unwrap_or(Attention::Active)
    }

    pub fn acknowledged(&self, user: &UserId, conversation: ConversationId) -> &[Acknowledgement] {
        self.acknowledged.get(&(user.clone(), conversation)).map_or(&[], Vec::as_slice)
    }

    pub fn ringable(&self, conversation: ConversationId) -> Option<&Ringable> {
        self.ringable.get(&conversation)
    }

    /// All who can be rung, with their conversations.
    pub fn recipients(&self) -> impl Iterator<Item = (UserId, ConversationId)> + '_ {
        self.ringable.iter().flat_map(|(conversation, ringable)| {
            ringable.recipients.iter().map(|recipient| (recipient.user_id.clone(), *conversation))
        })
    }

    pub fn recipient(&self, conversation: ConversationId, user: &UserId) -> Option<&Recipient> {
        self.ringable.get(&conversation)?.recipients.iter().find(|recipient| recipient.user_id == *user)
    }

    pub fn entry(&self, conversation: ConversationId, seq: Seq) -> Option<&Entry> {
        self.entries.get(&(conversation, seq))
    }
}
