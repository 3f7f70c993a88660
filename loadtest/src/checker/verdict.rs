//! The counts that a run ends with.

use serde::{Deserialize, Serialize};

/// A broken promise; the names are those of the reliability page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Accepted and not there.
    Lost,
    /// One client id under two seqs.
    Duplicate,
    /// A hole in the stored seqs of a conversation.
    Gap,
    /// Two readers, or a reader and the store, have different entries under a seq.
    Divergence,
    /// A sender's messages of one socket in another order.
    Reorder,
    /// An entry that nobody sent, that was refused, or that came to the wrong place.
    Phantom,
    /// An entry for somebody who had left, or from before they joined.
    Leak,
    /// An entry that a reader still did not have, live or by resuming, at the deadline.
    Stuck,
}

impl Fault {
    pub const ALL: [Self; 8] = [
        Self::Lost,
        Self::Duplicate,
        Self::Gap,
        Self::Divergence,
        Self::Reorder,
        Self::Phantom,
        Self::Leak,
        Self::Stuck,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Duplicate => "duplicate",
            Self::Gap => "gap",
            Self::Divergence => "divergence",
            Self::Reorder => "reorder",
            Self::Phantom => "phantom",
            Self::Leak => "leak",
            Self::Stuck => "stuck",
        }
    }
}

/// How often each promise was broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub lost: u64,
    pub duplicate: u64,
    pub gap: u64,
    pub divergence: u64,
    pub reorder: u64,
    pub phantom: u64,
    pub leak: u64,
    pub stuck: u64,
}

impl Counts {
    pub fn of(&self, fault: Fault) -> u64 {
        match fault {
            Fault::Lost => self.lost,
            Fault::Duplicate => self.duplicate,
            Fault::Gap => self.gap,
            Fault::Divergence => self.divergence,
            Fault::Reorder => self.reorder,
            Fault::Phantom => self.phantom,
            Fault::Leak => self.leak,
            Fault::Stuck => self.stuck,
        }
    }

    fn slot(&mut self, fault: Fault) -> &mut u64 {
        match fault {
            Fault::Lost => &mut self.lost,
            Fault::Duplicate => &mut self.duplicate,
            Fault::Gap => &mut self.gap,
            Fault::Divergence => &mut self.divergence,
            Fault::Reorder => &mut self.reorder,
            Fault::Phantom => &mut self.phantom,
            Fault::Leak => &mut self.leak,
            Fault::Stuck => &mut self.stuck,
        }
    }

    pub fn is_clean(&self) -> bool {
        Fault::ALL.iter().all(|fault| self.of(*fault) == 0)
    }
}

/// What [`Checker::finish`](super::Checker::finish) says.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Verdict {
    pub counts: Counts,
    pub accepted: u64,
    pub refused: u64,
    /// Sends without an answer, or with one that leaves their fate open.
    pub unknown: u64,
    /// Entries that came to their readers live, and those that came by resuming.
    pub live: u64,
    pub resumed: u64,
    /// Entries that came to a reader more than once, which the protocol allows.
    pub repeats: u64,
    /// Entries that fresh readers found in the store.
    pub stored: u64,
    /// The first few broken promises in words.
    pub examples: Vec<String>,
}

/// Examples kept of each run: enough to see a pattern.
const EXAMPLES: usize = 20;

impl Verdict {
    pub(super) fn note(&mut self, fault: Fault, what: impl FnOnce() -> String) {
        self.note_many(fault, 1, what);
    }

    pub(super) fn note_many(&mut self, fault: Fault, count: u64, what: impl FnOnce() -> String) {
        *self.counts.slot(fault) += count;
        if self.examples.len() < EXAMPLES {
            self.examples.push(format!("{}: {}", fault.name(), what()));
        }
    }

    /// One line: every count, the broken ones too.
    pub fn line(&self) -> String {
        let counts: Vec<String> =
            Fault::ALL.iter().map(|fault| format!("{} {}", self.counts.of(*fault), fault.name())).collect();
        counts.join(", ")
    }
}
