//! A set of seqs that is small because they mostly follow each other.

use serde::{Deserialize, Serialize};

use crate::model::Seq;

/// Pieces at most; past it the oldest are forgotten.
const MOST: usize = 200;

/// Seqs as pieces, each from and to, rising.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ranges(Vec<(i64, i64)>);

impl Ranges {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, seq: Seq) -> bool {
        self.0.iter().any(|(from, to)| (*from..=*to).contains(&seq.get()))
    }

    /// Adds a seq; `false` when it was there.
    pub fn insert(&mut self, seq: Seq) -> bool {
        let seq = seq.get();
        let place = self.0.partition_point(|(_, to)| *to < seq);
        if self.0.get(place).is_some_and(|(from, _)| *from <= seq) {
            return false;
        }
        let joins_before = place.checked_sub(1).is_some_and(|before| self.0[before].1 + 1 == seq);
        let joins_after = self.0.get(place).is_some_and(|(from, _)| *from == seq + 1);
        match (joins_before, joins_after) {
            (true, true) => {
                self.0[place - 1].1 = self.0[place].1;
                self.0.remove(place);
            }
            (true, false) => self.0[place - 1].1 = seq,
            (false, true) => self.0[place].0 = seq,
            (false, false) => self.0.insert(place, (seq, seq)),
        }
        if self.0.len() > MOST {
            self.0.remove(0);
        }
        true
    }

    /// Removes everything up to a seq; whether something was removed.
    pub fn remove_through(&mut self, seq: Seq) -> bool {
        let before = self.0.clone();
        self.0.retain_mut(|(from, to)| {
            *from = (*from).max(seq.get() + 1);
            from <= to
        });
        before != self.0
    }

    pub fn remove(&mut self, seq: Seq) {
        let seq = seq.get();
        let Some(place) = self.0.iter().position(|(from, to)| (*from..=*to).contains(&seq)) else { return };
        let (from, to) = self.0.remove(place);
        let rest = [(from, seq - 1), (seq + 1, to)].into_iter().filter(|(from, to)| from <= to);
        self.0.splice(place..place, rest);
    }

    pub fn first(&self) -> Option<Seq> {
        self.0.first().map(|(from, _)| Seq::new(*from))
    }

    /// The seqs that fit, rising.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Seq> + '_ {
        self.0.iter().flat_map(|(from, to)| (*from..=*to).map(Seq::new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_is_the_set_of_what_was_put_in(steps in prop::collection::vec((0_u8..3, 1_i64..60), 0..80)) {
            let (mut ranges, mut model) = (Ranges::default(), BTreeSet::new());
            for (what, seq) in steps {
                match what {
                    0 => prop_assert_eq!(ranges.insert(Seq::new(seq)), model.insert(seq)),
                    1 => {
                        ranges.remove(Seq::new(seq));
                        model.remove(&seq);
                    }
                    _ => {
                        let more = model.split_off(&(seq + 1));
                        prop_assert_eq!(ranges.remove_through(Seq::new(seq)), !model.is_empty());
                        model = more;
                    }
                }
                prop_assert!(ranges.iter().map(Seq::get).eq(model.iter().copied()));
                prop_assert_eq!(ranges.contains(Seq::new(seq)), model.contains(&seq));
                prop_assert_eq!(ranges.first().map(Seq::get), model.first().copied());
            }
        }
    }

    #[test]
    fn neighbours_are_one_piece_and_the_oldest_pieces_go() {
        let mut ranges = Ranges::default();
        for seq in [1, 2, 4, 3] {
            ranges.insert(Seq::new(seq));
        }
        assert_eq!(serde_json::to_string(&ranges).unwrap(), "[[1,4]]");
        for seq in 0..300 {
            ranges.insert(Seq::new(10 + 2 * seq));
        }
        assert_eq!(ranges.iter().count(), MOST);
        assert_eq!(ranges.iter().next_back(), Some(Seq::new(608)));
    }
}
