//! Port: what the phones of a user show of a conversation, kept where no process's death can take it: how many alerts came in the
//! last minute, what was summed up, what was delivered already, what a read elsewhere has to clear.
//!
//! A backend only keeps bytes and compares before it sets; the meaning is in [`Screens`].

mod ranges;
mod screens;

use async_trait::async_trait;
use bytes::Bytes;

use crate::fanout::FanoutError;
use crate::model::{ConversationId, UserId};

pub use ranges::Ranges;
pub use screens::{Budget, Flush, Rules, Screen, Screens};

/// Whose phones, and which conversation on them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScreenKey {
    pub user_id: UserId,
    pub conversation_id: ConversationId,
}

impl ScreenKey {
    /// Under which the badges of a user's phones are kept: they are of no single conversation.
    pub fn of_badges(user_id: UserId) -> Self {
        Self { user_id, conversation_id: ConversationId::from_uuid(uuid::Uuid::nil()) }
    }
}

/// A state that is to take the place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swap {
    pub key: ScreenKey,
    /// As it was loaded.
    pub old: Option<Bytes>,
    pub new: Bytes,
}

/// How long a state is kept after its last change: what was rung longer ago than this is not cleared any more.
pub const KEPT: std::time::Duration = std::time::Duration::from_secs(3 * 24 * 60 * 60);

/// Keeps the states.
#[async_trait]
pub trait Board: Send + Sync + 'static {
    /// The states under these keys, in their order.
    async fn load(&self, keys: &[ScreenKey]) -> Result<Vec<Option<Bytes>>, FanoutError>;

    /// Sets states that are still as they were loaded; answers for each whether it was. Kept for [`KEPT`].
    async fn swap(&self, swaps: &[Swap]) -> Result<Vec<bool>, FanoutError>;
}

/// Attempts to change states that others change at the same time.
const ATTEMPTS: usize = 20;

/// Loads, changes and saves each of these states, again where somebody else came first. `change` may run several times for one key; what
/// it answered the last time is the answer.
///
/// # Errors
/// The board is away: some may be changed.
pub async fn change<T>(
    board: &dyn Board,
    keys: &[ScreenKey],
    mut change: impl FnMut(&ScreenKey, &mut Screens) -> T + Send,
) -> Result<Vec<T>, FanoutError>
where
    T: Send,
{
    let mut answers: Vec<Option<T>> = keys.iter().map(|_| None).collect();
    let mut open: Vec<usize> = (0..keys.len()).collect();
    for _ in 0..ATTEMPTS {
        let wanted: Vec<ScreenKey> = open.iter().map(|place| keys[*place].clone()).collect();
        let states = board.load(&wanted).await?;
        let mut swaps = Vec::new();
        let mut swapping = Vec::new();
        for (place, old) in open.iter().copied().zip(states) {
            let mut screens = Screens::decode(old.as_deref());
            answers[place] = Some(change(&keys[place], &mut screens));
            let new = screens.encode();
            if old.as_ref() != Some(&new) && !(old.is_none() && screens.is_empty()) {
                swaps.push(Swap { key: keys[place].clone(), old, new });
                swapping.push(place);
            }
        }
        let swapped = if swaps.is_empty() { Vec::new() } else { board.swap(&swaps).await? };
        open = swapping.into_iter().zip(swapped).filter(|(_, done)| !done).map(|(place, _)| place).collect();
        if open.is_empty() {
            return Ok(answers.into_iter().flatten().collect());
        }
    }
    Err(FanoutError::Unavailable { message: "the states of phones change too fast".to_owned(), source: None })
}
