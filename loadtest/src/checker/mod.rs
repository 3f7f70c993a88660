//! The checker: it hears of every send and its answer and of everything that anybody received,
//! live or by resuming, and at the end of everything that fresh clients read from the store; then
//! it says what of the promises was broken.
//!
//! It is told, it does not ask: whoever drives clients (the generator, a fault test) calls
//!
//! 1. [`Checker::user`], [`Checker::conversation`], [`Checker::reader`] to name who is there,
//! 2. [`Checker::sent`] before a send, which gives the `client_id` to send with,
//!    [`Checker::answered`] with its outcome,
//! 3. [`Checker::received`] for every entry that a client got, [`Checker::left`] when a reader
//!    was removed from the conversation,
//! 4. [`Checker::stored`] with what a fresh client reads of each conversation after the drain,
//! 5. [`Checker::finish`] for the [`Verdict`].
//!
//! It keeps 24 bytes a send and 8 bytes an entry; a delivery costs nothing once it was compared.

mod conversation;
mod judge;
mod names;
mod reader;
mod send;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::HashMap;

use uuid::Uuid;

use crate::client_id::{Mark, Tag};

use conversation::Conversation;
pub use names::{ConversationKey, ReaderKey, UserKey};
use reader::Reader;
use send::Send;
pub use send::{Outcome, Socket};
pub use verdict::{Counts, Fault, Verdict};

/// An entry of a conversation's log as somebody saw it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub conversation_id: Uuid,
    pub seq: u32,
    pub id: Uuid,
    pub client_id: Option<Uuid>,
    pub sender_id: &'a str,
    /// True for `text`; other kinds occupy a seq without having been sent through the checker.
    pub is_text: bool,
}

/// How an entry came to its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    Live,
    Resumed,
}

/// What [`Checker::received`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The reader has it for the first time; `gap` tells that something before it is missing.
    New { gap: bool },
    /// The reader had it already, which is allowed.
    Again,
    /// It should not have come; counted.
    Wrong,
}

pub struct Checker {
    tag: Tag,
    users: Vec<Box<str>>,
    sends: Vec<Send>,
    conversations: Vec<Conversation>,
    by_id: HashMap<Uuid, ConversationKey>,
    readers: Vec<Reader>,
    verdict: Verdict,
    unanswered: u64,
}

impl Checker {
    /// `tag` must differ between all who send at the same time.
    pub fn new(tag: Tag) -> Self {
        Self {
            tag,
            users: Vec::new(),
            sends: Vec::new(),
            conversations: Vec::new(),
            by_id: HashMap::new(),
            readers: Vec::new(),
            verdict: Verdict::default(),
            unanswered: 0,
        }
    }

    pub fn user(&mut self, id: &str) -> UserKey {
        self.users.push(id.into());
        UserKey::new(self.users.len() - 1)
    }

    /// A conversation; its id may come later, with its first answer or entry.
    pub fn conversation(&mut self, id: Option<Uuid>) -> ConversationKey {
        let key = ConversationKey::new(self.conversations.len());
        self.conversations.push(Conversation::default());
        if let Some(id) = id {
            self.bind(key, id);
        }
        key
    }

    /// The id of a conversation, once it is known.
    pub fn conversation_id(&self, key: ConversationKey) -> Option<Uuid> {
        self.conversations[key.index()].id
    }

    /// Gives a conversation its id. `false` when it has another one.
    pub fn bind(&mut self, key: ConversationKey, id: Uuid) -> bool {
        let known = &mut self.conversations[key.index()].id;
        if known.is_none() {
            *known = Some(id);
            self.by_id.insert(id, key);
        }
        *known == Some(id)
    }

    /// Someone who reads a conversation from `from_seq` (1 for a member of the first hour) on.
    pub fn reader(&mut self, conversation: ConversationKey, from_seq: u32) -> ReaderKey {
        self.readers.push(Reader::new(conversation, from_seq));
        ReaderKey::new(self.readers.len() - 1)
    }

    /// This reader knows a conversation up to `seq` before it has received anything.
    pub fn begins_after(&mut self, reader: ReaderKey, seq: u32) {
        self.readers[reader.index()].begin_after(seq);
    }

    /// The reader's own `member_left` has this seq: nothing above it may come.
    pub fn left(&mut self, reader: ReaderKey, seq: u32) {
        self.readers[reader.index()].leave(seq);
    }

    /// This reader went away for good and need not have everything at the end.
    pub fn gave_up(&mut self, reader: ReaderKey) {
        self.readers[reader.index()].give_up();
    }

    /// The last seq before the reader's first hole: the cursor to resume from.
    pub fn cursor(&self, reader: ReaderKey) -> u32 {
        self.readers[reader.index()].prefix()
    }

    pub fn conversation_of(&self, reader: ReaderKey) -> ConversationKey {
        self.readers[reader.index()].conversation
    }

    /// True when the reader has everything that anybody has seen of its conversation.
    pub fn is_complete(&self, reader: ReaderKey) -> bool {
        let reader = &self.readers[reader.index()];
        reader.misses(self.conversations[reader.conversation.index()].last_seq()) == 0
    }

    /// Notes a send before it is written, and gives its `client_id`. `at_us` is its scheduled time.
    /// Sends of one `socket` to one conversation are expected to keep their order.
    pub fn sent(
        &mut self,
        sender: UserKey,
        socket: Socket,
        conversation: ConversationKey,
        at_us: u64,
    ) -> Uuid {
        let index = self.sends.len() as u32;
        self.sends.push(Send::new(sender, socket, conversation));
        self.unanswered += 1;
        Mark { tag: self.tag, index, at_us }.encode()
    }

    /// A send was repeated on another socket: its order does not count any more.
    pub fn sent_again(&mut self, client_id: Uuid) {
        if let Some(index) = self.own(client_id) {
            self.sends[index].forget_order();
        }
    }

    /// The answer to a send. A later answer overrides an earlier one, but `accepted` gives way
    /// to `Withdrawn` only.
    pub fn answered(&mut self, client_id: Uuid, outcome: Outcome, conversation_id: Option<Uuid>) {
        let Some(index) = self.own(client_id) else {
            let what = || format!("an answer to {client_id}, which nobody sent");
            self.verdict.note(Fault::Phantom, what);
            return;
        };
        if self.sends[index].answer(outcome) {
            self.unanswered -= 1;
        }
        let conversation = self.sends[index].conversation;
        if let Some(id) = conversation_id
            && !self.bind(conversation, id)
        {
            let what = || format!("{client_id} was accepted into {id}, which it was not sent to");
            self.verdict.note(Fault::Phantom, what);
        }
    }

    /// Sends that have no answer yet.
    pub fn unanswered(&self) -> u64 {
        self.unanswered
    }

    /// Accepted sends that no client got yet: nobody misses them, for nobody knows their seqs.
    pub fn unseen(&self) -> usize {
        self.sends.iter().filter(|send| send.outcome() == Outcome::Accepted && send.seq == 0).count()
    }

    /// Every conversation with an id, for those who read it afresh.
    pub fn conversations(&self) -> impl Iterator<Item = (ConversationKey, Uuid, u32)> {
        let keyed = self.conversations.iter().enumerate();
        keyed.filter_map(|(index, conversation)| {
            let id = conversation.id?;
            Some((ConversationKey::new(index), id, conversation.last_seq()))
        })
    }

    fn own(&self, client_id: Uuid) -> Option<usize> {
        let mark = Mark::decode(client_id)?;
        let index = mark.index as usize;
        (mark.tag == self.tag && index < self.sends.len()).then_some(index)
    }
}
