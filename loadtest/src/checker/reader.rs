//! What one member has of one conversation.

use super::ConversationKey;

pub(super) struct Reader {
    pub conversation: ConversationKey,
    first: u32,
    /// Everything from `first` to here is there.
    prefix: u32,
    /// What came after a hole, sorted; empty nearly always.
    beyond: Vec<u32>,
    left_at: Option<u32>,
    gave_up: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Took {
    New {
        gap: bool,
    },
    Again,
    /// Above the reader's own end or below its beginning.
    Leaked,
}

impl Reader {
    pub fn new(conversation: ConversationKey, from_seq: u32) -> Self {
        Self {
            conversation,
            first: from_seq.max(1),
            prefix: from_seq.max(1) - 1,
            beyond: Vec::new(),
            left_at: None,
            gave_up: false,
        }
    }

    /// Forgets what was asked of it so far: it reads from behind `seq` on.
    pub fn begin_after(&mut self, seq: u32) {
        *self = Self { gave_up: self.gave_up, ..Self::new(self.conversation, seq + 1) };
    }

    pub fn prefix(&self) -> u32 {
        self.prefix
    }

    pub fn leave(&mut self, seq: u32) {
        self.left_at = Some(seq);
    }

    pub fn give_up(&mut self) {
        self.gave_up = true;
    }

    pub fn take(&mut self, seq: u32) -> Took {
        if seq < self.first || self.left_at.is_some_and(|end| seq > end) {
            return Took::Leaked;
        }
        if seq <= self.prefix {
            return Took::Again;
        }
        if seq == self.prefix + 1 {
            self.prefix = seq;
            let mut closed = 0;
            while self.beyond.get(closed) == Some(&(self.prefix + 1)) {
                self.prefix += 1;
                closed += 1;
            }
            if closed == self.beyond.len() {
                self.beyond = Vec::new();
            } else {
                self.beyond.drain(..closed);
            }
            return Took::New { gap: !self.beyond.is_empty() };
        }
        match self.beyond.binary_search(&seq) {
            Ok(_) => Took::Again,
            Err(at) => {
                self.beyond.insert(at, seq);
                Took::New { gap: true }
            }
        }
    }

    /// How many entries up to `last` this reader should have and has not.
    pub fn misses(&self, last: u32) -> u32 {
        if self.gave_up {
            return 0;
        }
        let last = self.left_at.map_or(last, |end| last.min(end));
        let beyond = self.beyond.iter().filter(|seq| **seq <= last).count() as u32;
        last.saturating_sub(self.prefix) - beyond.min(last.saturating_sub(self.prefix))
    }
}
