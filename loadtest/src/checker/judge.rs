//! Where what was seen is compared with what was sent, seen by others, and stored.

use std::collections::HashMap;

use crate::client_id::Mark;

use super::conversation::Placed;
use super::reader::Took;
use super::{Checker, ConversationKey, Entry, Fault, Outcome, Path, ReaderKey, Seen, Verdict};

impl Checker {
    /// A client got this entry.
    pub fn received(&mut self, reader: ReaderKey, entry: &Entry<'_>, path: Path) -> Seen {
        let conversation = self.readers[reader.index()].conversation;
        if !self.bind(conversation, entry.conversation_id) {
            let what = || format!("{} came to a reader of another conversation", show(entry));
            self.verdict.note(Fault::Phantom, what);
            return Seen::Wrong;
        }
        if !self.compare(conversation, entry, false) {
            return Seen::Wrong;
        }
        match self.readers[reader.index()].take(entry.seq) {
            Took::New { gap } => {
                match path {
                    Path::Live => self.verdict.live += 1,
                    Path::Resumed => self.verdict.resumed += 1,
                }
                Seen::New { gap }
            }
            Took::Again => {
                self.verdict.repeats += 1;
                Seen::Again
            }
            Took::Leaked => {
                let what = || format!("{} came to somebody who had left or not joined", show(entry));
                self.verdict.note(Fault::Leak, what);
                Seen::Wrong
            }
        }
    }

    /// A fresh client's whole reading of a conversation after the drain, ascending.
    pub fn stored<'a>(
        &mut self,
        conversation: ConversationKey,
        entries: impl IntoIterator<Item = Entry<'a>>,
    ) {
        let mut last = 0;
        for entry in entries {
            if entry.seq > last + 1 {
                let what = || format!("seq {} follows {last} in {}", entry.seq, entry.conversation_id);
                self.verdict.note_many(Fault::Gap, u64::from(entry.seq - last - 1), what);
            } else if entry.seq <= last {
                let what = || format!("{} is read after seq {last}", show(&entry));
                self.verdict.note(Fault::Divergence, what);
            }
            last = last.max(entry.seq);
            self.verdict.stored += 1;
            if self.bind(conversation, entry.conversation_id) {
                self.compare(conversation, &entry, true);
            } else {
                let what = || format!("{} is stored in another conversation", show(&entry));
                self.verdict.note(Fault::Phantom, what);
            }
        }
        self.conversations[conversation.index()].stored_to = Some(last);
    }

    /// The counts. Sends and readers of conversations that nobody read afresh are judged by what
    /// was received alone.
    pub fn finish(mut self) -> Verdict {
        let mut order: HashMap<(u32, u32, u16), u32> = HashMap::new();
        for send in &self.sends {
            let stored_to = self.conversations[send.conversation.index()].stored_to;
            match send.outcome() {
                Outcome::Accepted => {
                    self.verdict.accepted += 1;
                    let there = if stored_to.is_some() { send.stored } else { send.seq > 0 };
                    if !there {
                        let who = &self.users[send.sender.index()];
                        let what = || {
                            format!("an accepted message of {who} is nowhere (seen live as seq {})", send.seq)
                        };
                        self.verdict.note(Fault::Lost, what);
                    }
                }
                Outcome::Refused | Outcome::Withdrawn => {
                    self.verdict.refused += 1;
                    if send.seq > 0 {
                        let what = || format!("seq {} was refused to its sender", send.seq);
                        self.verdict.note(Fault::Phantom, what);
                    }
                }
                Outcome::Unknown => self.verdict.unknown += 1,
            }
            if let Some(socket) = send.ordered_socket()
                && send.seq > 0
            {
                let key = (send.sender.index() as u32, send.conversation.index() as u32, socket);
                let before = order.insert(key, send.seq).unwrap_or(0);
                if send.seq < before {
                    let what = || format!("seq {} was sent after seq {before}", send.seq);
                    self.verdict.note(Fault::Reorder, what);
                }
            }
        }
        for reader in &self.readers {
            let conversation = &self.conversations[reader.conversation.index()];
            let last = conversation.last_seq().max(conversation.stored_to.unwrap_or(0));
            let misses = reader.misses(last);
            if misses > 0 {
                let what = || format!("a reader has {} of {last} in {:?}", reader.prefix(), conversation.id);
                self.verdict.note_many(Fault::Stuck, u64::from(misses), what);
            }
        }
        for conversation in &self.conversations {
            let Some(stored_to) = conversation.stored_to else {
                continue;
            };
            for seq in stored_to + 1..=conversation.last_seq() {
                if conversation.knows(seq) {
                    let what = || format!("seq {seq} was delivered and is not stored");
                    self.verdict.note(Fault::Divergence, what);
                }
            }
        }
        self.verdict
    }

    /// Compares an entry with its send and with what others saw. False when it is wrong.
    fn compare(&mut self, conversation: ConversationKey, entry: &Entry<'_>, from_store: bool) -> bool {
        let placed = self.conversations[conversation.index()].place(entry.seq, entry.id, entry.client_id);
        match placed {
            Placed::Absurd => {
                let what = || format!("{} has an impossible seq", show(entry));
                self.verdict.note(Fault::Phantom, what);
                return false;
            }
            Placed::Differs => {
                let what = || format!("{} is another entry for another reader", show(entry));
                self.verdict.note(Fault::Divergence, what);
                return false;
            }
            // Compared with its send when the first reader had it.
            Placed::Same if !from_store => return true,
            Placed::First | Placed::Same => {}
        }
        if !entry.is_text {
            return true;
        }
        let mark = entry.client_id.and_then(Mark::decode);
        if mark.is_some_and(|mark| mark.tag != self.tag && mark.tag.same_run(self.tag)) {
            return true; // another shard's, which checks it
        }
        let Some(index) = entry.client_id.and_then(|id| self.own(id)) else {
            let what = || format!("{} was sent by nobody", show(entry));
            self.verdict.note(Fault::Phantom, what);
            return false;
        };
        let send = &mut self.sends[index];
        let fault =
            if send.conversation != conversation || *self.users[send.sender.index()] != *entry.sender_id {
                Some(Fault::Phantom)
            } else if send.seq != 0 && send.seq != entry.seq {
                Some(Fault::Duplicate)
            } else {
                None
            };
        if send.seq == 0 {
            send.seq = entry.seq;
        }
        send.stored |= from_store;
        if let Some(fault) = fault {
            let seq = send.seq;
            let what = || format!("{} (its send: seq {seq})", show(entry));
            self.verdict.note(fault, what);
        }
        fault.is_none()
    }
}

fn show(entry: &Entry<'_>) -> String {
    format!(
        "seq {} of {} (client id {:?}, from {})",
        entry.seq, entry.conversation_id, entry.client_id, entry.sender_id
    )
}
