//! What anybody saw of one conversation: which entry stands at which seq.

use uuid::Uuid;

#[derive(Default)]
pub(super) struct Conversation {
    pub id: Option<Uuid>,
    /// A fingerprint of the entry at seq `index + 1`; zero while nobody has seen it.
    entries: Vec<u64>,
    /// The last seq that a fresh reader found, when one has looked.
    pub stored_to: Option<u32>,
}

pub(super) enum Placed {
    First,
    Same,
    /// Somebody else saw another entry under this seq.
    Differs,
    /// No log of this run can be that long.
    Absurd,
}

/// How far beyond what was seen a seq may lie before it is taken for nonsense.
const HORIZON: usize = 4_000_000;

impl Conversation {
    pub fn last_seq(&self) -> u32 {
        self.entries.len() as u32
    }

    pub fn place(&mut self, seq: u32, id: Uuid, client_id: Option<Uuid>) -> Placed {
        let Some(index) = (seq as usize).checked_sub(1) else {
            return Placed::Absurd;
        };
        if index > self.entries.len() + HORIZON {
            return Placed::Absurd;
        }
        if index >= self.entries.len() {
            self.entries.resize(index + 1, 0);
        }
        let seen = fingerprint(id, client_id);
        match std::mem::replace(&mut self.entries[index], seen) {
            0 => Placed::First,
            before if before == seen => Placed::Same,
            before => {
                self.entries[index] = before;
                Placed::Differs
            }
        }
    }

    pub fn knows(&self, seq: u32) -> bool {
        let index = (seq as usize).wrapping_sub(1);
        self.entries.get(index).is_some_and(|seen| *seen != 0)
    }
}

/// Two entries that differ in their id or client id differ here, but for one chance in 2^63.
fn fingerprint(id: Uuid, client_id: Option<Uuid>) -> u64 {
    let mut mixed = 0x9e37_79b9_7f4a_7c15_u64;
    let (a, b) = id.as_u64_pair();
    let (c, d) = client_id.map_or((0, 0), |id| id.as_u64_pair());
    for part in [a, b, c, d] {
        mixed = (mixed ^ part).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^= mixed >> 32;
    }
    mixed | 1
}
