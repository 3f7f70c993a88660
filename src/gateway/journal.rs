//! When events of entries came here from the fan-out, for the trace of a message: the last ones, in memory alone.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::model::{ConversationId, Seq, Stamp, Timestamp};

/// Some half a mebibyte, and a second of a busy gateway.
const KEPT: usize = 16_384;

#[derive(Default)]
pub struct Journal(Mutex<VecDeque<Line>>);

struct Line {
    conversation_id: ConversationId,
    seq: Seq,
    at: Timestamp,
}

impl Journal {
    pub fn note(&self, stamp: &Stamp, at: Timestamp) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(Line { conversation_id: stamp.conversation_id, seq: stamp.seq, at });
    }

    /// When the entry's event first came here, if that is remembered.
    pub fn came_at(&self, id: ConversationId, seq: Seq) -> Option<Timestamp> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().find(|line| line.conversation_id == id && line.seq == seq).map(|line| line.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_entries_are_remembered_by_when_they_first_came() {
        let (journal, id) = (Journal::default(), ConversationId::new());
        let note = |seq: i64, at: i64| {
            let stamp = Stamp { conversation_id: id, seq: Seq::new(seq), members_seq: Seq::ZERO };
            journal.note(&stamp, Timestamp::from_millis(at));
        };
        note(1, 5);
        note(1, 6);
        assert_eq!(journal.came_at(id, Seq::new(1)), Some(Timestamp::from_millis(5)));
        assert_eq!(journal.came_at(ConversationId::new(), Seq::new(1)), None);
        for seq in 2..=KEPT as i64 + 1 {
            note(seq, seq);
        }
        assert_eq!(journal.came_at(id, Seq::new(1)), None);
        assert_eq!(journal.came_at(id, Seq::new(3)), Some(Timestamp::from_millis(3)));
    }
}
