//! What those who log in at the same time are all sent, read once and encoded once.
//!
//! In a storm of logins everybody is sent their groups, and every group goes to all of its members: who they are and how far they got,
//! and the texts that are missing. It lies here for as long as somebody is being synchronised, so a quiet gateway keeps nothing.
//!
//! A login reads a group after its route is registered, and from then on hears of what changes in it. So what lies here may be given to
//! whoever joined before they ask, as long as it goes with the first event of its group that comes here, and with everything when events
//! were missed.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::model::{ConversationId, Seq};

/// The shelves of a gateway.
pub struct Shelves {
    /// The members that a group is shown with.
    pub members: Shelf<ConversationId, Box<RawValue>>,
    pub messages: Shelf<Missing, Messages>,
    /// Who is being synchronised.
    visitors: AtomicUsize,
}

/// Which entries of a group a member is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Missing {
    pub conversation_id: ConversationId,
    pub after: Seq,
    pub up_to: Seq,
    /// Where history begins for the member.
    pub first_seq: Seq,
}

/// Missing entries, as a list of messages in JSON.
pub struct Messages {
    pub json: Box<RawValue>,
    /// There are more than these.
    pub limited: bool,
}

/// While it is there, what is on the shelves stays.
pub struct Visit<'a>(&'a Shelves);

/// Names and pictures change without an event: nothing is older than this.
const KEPT: Duration = Duration::from_secs(5);
/// Bytes on one shelf; what comes on top clears it. 6,000 groups of 50 take some 25 MB.
const ROOM: usize = 64 * 1024 * 1024;
/// What a thing on a shelf costs beside its bytes.
const OVERHEAD: usize = 256;

impl Default for Shelves {
    fn default() -> Self {
        Self {
            members: Shelf::new(|members| members.get().len()),
            messages: Shelf::new(|messages| messages.json.get().len()),
            visitors: AtomicUsize::new(0),
        }
    }
}

impl Shelves {
    pub fn visit(&self) -> Visit<'_> {
        self.visitors.fetch_add(1, Ordering::AcqRel);
        Visit(self)
    }

    /// Something happened in this group. Its entries stay: what is up to a seq is what it was.
    pub fn forget(&self, group: ConversationId) {
        self.members.forget(&group);
    }

    /// These groups had nobody here: what happened in them meanwhile was not heard.
    pub fn forget_each(&self, groups: &[ConversationId]) {
        groups.iter().for_each(|group| self.forget(*group));
    }

    /// What happened may not be known here.
    pub fn forget_all(&self) {
        self.members.clear();
        self.messages.clear();
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if self.0.visitors.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.forget_all();
        }
    }
}

/// Things that many ask for, each made by whoever asks first.
pub struct Shelf<K, V> {
    slots: Mutex<Slots<K, V>>,
    weigh: fn(&V) -> usize,
}

struct Slots<K, V> {
    by_key: HashMap<K, Slot<V>>,
    /// Of all that was put here since it was cleared.
    bytes: usize,
}

struct Slot<V> {
    /// It was read when the conversation had come so far, or later.
    as_of: Seq,
    since: Instant,
    thing: Thing<V>,
}

type Thing<V> = Arc<OnceCell<Arc<V>>>;

impl<K: Hash + Eq, V> Shelf<K, V> {
    fn new(weigh: fn(&V) -> usize) -> Self {
        Self { slots: Mutex::new(Slots { by_key: HashMap::new(), bytes: 0 }), weigh }
    }

    /// What lies under `key` when it was read with the conversation at `as_of` or later; else `make` reads it, for all who ask meanwhile.
    ///
    /// Cancelled, or failed, it leaves the making to the next.
    pub async fn get<E, F>(&self, key: K, as_of: Seq, make: impl FnOnce() -> F) -> Result<Arc<V>, E>
    where
        F: Future<Output = Result<V, E>>,
    {
        let thing = self.thing(key, as_of);
        let made = async || {
            let made = make().await?;
            self.weighed((self.weigh)(&made) + OVERHEAD);
            Ok(Arc::new(made))
        };
        thing.get_or_try_init(made).await.cloned()
    }

    fn thing(&self, key: K, as_of: Seq) -> Thing<V> {
        let mut slots = self.slots();
        if let Some(slot) = slots.by_key.get(&key)
            && slot.as_of >= as_of
            && slot.since.elapsed() < KEPT
        {
            return Arc::clone(&slot.thing);
        }
        let thing = Thing::default();
        slots.by_key.insert(key, Slot { as_of, since: Instant::now(), thing: Arc::clone(&thing) });
        thing
    }

    fn weighed(&self, bytes: usize) {
        let mut slots = self.slots();
        slots.bytes += bytes;
        if slots.bytes > ROOM {
            drop(slots);
            self.clear();
        }
    }

    fn forget(&self, key: &K) {
        self.slots().by_key.remove(key);
    }

    fn clear(&self) {
        let mut slots = self.slots();
        slots.bytes = 0;
        let gone = std::mem::take(&mut slots.by_key);
        drop(slots);
        // Thousands of things: not while others wait for the lock.
        drop(gone);
    }

    fn slots(&self) -> MutexGuard<'_, Slots<K, V>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    /// What is under the group's key, or `json` when it has to be read.
    async fn members(shelves: &Shelves, group: ConversationId, as_of: i64, json: &str) -> String {
        let read = async || Ok::<_, Infallible>(raw(json));
        shelves.members.get(group, Seq::new(as_of), read).await.unwrap().get().to_owned()
    }

    #[tokio::test]
    async fn what_one_read_is_given_to_the_next_until_an_event_comes() {
        let (shelves, group) = (Shelves::default(), ConversationId::new());
        let _visit = shelves.visit();
        assert_eq!(members(&shelves, group, 3, "[1]").await, "[1]");
        assert_eq!(members(&shelves, group, 2, "[2]").await, "[1]");
        shelves.forget(group);
        assert_eq!(members(&shelves, group, 3, "[3]").await, "[3]");
        shelves.forget_all();
        assert_eq!(members(&shelves, group, 3, "[4]").await, "[4]");
    }

    #[tokio::test]
    async fn what_was_read_before_the_conversation_came_so_far_is_read_again() {
        let (shelves, group) = (Shelves::default(), ConversationId::new());
        let _visit = shelves.visit();
        assert_eq!(members(&shelves, group, 3, "[1]").await, "[1]");
        assert_eq!(members(&shelves, group, 4, "[2]").await, "[2]");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_grows_old() {
        let (shelves, group) = (Shelves::default(), ConversationId::new());
        let _visit = shelves.visit();
        assert_eq!(members(&shelves, group, 1, "[1]").await, "[1]");
        tokio::time::advance(KEPT).await;
        assert_eq!(members(&shelves, group, 1, "[2]").await, "[2]");
    }

    #[tokio::test]
    async fn the_last_visitor_takes_everything_along() {
        let (shelves, group) = (Shelves::default(), ConversationId::new());
        let (one, other) = (shelves.visit(), shelves.visit());
        assert_eq!(members(&shelves, group, 1, "[1]").await, "[1]");
        drop(one);
        assert_eq!(members(&shelves, group, 1, "[2]").await, "[1]");
        drop(other);
        assert!(shelves.members.slots().by_key.is_empty());
    }

    #[tokio::test]
    async fn an_event_while_the_group_is_read_keeps_the_answer_from_those_who_come_after_it() {
        let (shelves, group) = (Shelves::default(), ConversationId::new());
        let _visit = shelves.visit();
        let early = shelves.members.get(group, Seq::ZERO, async || {
            shelves.forget(group);
            Ok::<_, Infallible>(raw("[1]"))
        });
        assert_eq!(early.await.unwrap().get(), "[1]");
        assert_eq!(members(&shelves, group, 0, "[2]").await, "[2]");
    }

    #[tokio::test]
    async fn a_failure_is_the_askers_own_and_the_next_reads() {
        let (shelves, group) = (Shelves::default(), ConversationId::new());
        let _visit = shelves.visit();
        let failed = shelves.members.get(group, Seq::ZERO, async || Err::<Box<RawValue>, _>("away")).await;
        assert_eq!(failed.unwrap_err(), "away");
        assert_eq!(members(&shelves, group, 0, "[1]").await, "[1]");
    }

    #[tokio::test]
    async fn a_full_shelf_is_cleared() {
        let shelves = Shelves::default();
        let _visit = shelves.visit();
        let long = format!("[{}1]", " ".repeat(ROOM / 2));
        for _ in 0..2 {
            members(&shelves, ConversationId::new(), 0, &long).await;
        }
        assert!(shelves.members.slots().by_key.is_empty());
    }
}
