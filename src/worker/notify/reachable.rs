//! Who has a device, remembered: where nobody has one, a batch costs one look at a mark.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quick_cache::sync::Cache;
use tokio::time::Instant;

use crate::fanout::{DeviceMarks, Fanout};
use crate::model::{ConversationKind, NewEntry, UserId};
use crate::store::{Store, Stored};

/// A memory is not believed for longer, whatever the mark says: a mark may be lost when Redis fails over.
const BELIEVED: Duration = Duration::from_secs(60);

pub(super) struct Reachable {
    store: Arc<dyn Store>,
    fanout: Arc<dyn Fanout>,
    users: Cache<UserId, Known>,
    anybody: Mutex<Option<Known>>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    has: bool,
    mark: u64,
    at: Instant,
}

impl Known {
    fn holds(&self, mark: u64) -> Option<bool> {
        (self.mark == mark && self.at.elapsed() < BELIEVED).then_some(self.has)
    }
}

impl Reachable {
    pub fn new(store: Arc<dyn Store>, fanout: Arc<dyn Fanout>, users: usize) -> Self {
        Self { store, fanout, users: Cache::new(users), anybody: Mutex::new(None) }
    }

    /// Whether each of these may concern somebody with a device, in their order. What cannot be found out may.
    pub async fn concerned(&self, texts: &[(&NewEntry, &Stored)]) -> Vec<bool> {
        if texts.is_empty() {
            return Vec::new();
        }
        // Of a direct conversation the peer, and the sender: their own phones show what they have read by sending.
        let both = |text| peer(text).into_iter().chain([&text.0.sender_id]);
        let users: BTreeSet<&UserId> =
            texts.iter().filter(|text| peer(text).is_some()).flat_map(both).collect();
        let users: Vec<UserId> = users.into_iter().cloned().collect();
        let marks = match self.fanout.device_marks(&users).await {
            Ok(marks) => marks,
            Err(error) => {
                tracing::debug!(%error, "worker.device_marks: everybody may have a device");
                return vec![true; texts.len()];
            }
        };
        if !self.is_there_any(&marks).await {
            return vec![false; texts.len()];
        }
        let have = self.have(&users, &marks).await;
        let has = |user: &UserId| users.binary_search(user).ok().is_none_or(|place| have[place]);
        // Who of a group has a device is for the push stage to find out.
        texts.iter().map(|text| peer(text).is_none_or(|peer| has(peer) || has(&text.0.sender_id))).collect()
    }

    async fn is_there_any(&self, marks: &DeviceMarks) -> bool {
        let known = *self.anybody.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(any) = known.and_then(|known| known.holds(marks.anybody)) {
            return any;
        }
        match self.store.any_device().await {
            Ok(has) => {
                let known = Known { has, mark: marks.anybody, at: Instant::now() };
                *self.anybody.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
                has
            }
            Err(error) => {
                tracing::warn!(%error, "worker.any_device");
                true
            }
        }
    }

    /// In the order of `users`.
    async fn have(&self, users: &[UserId], marks: &DeviceMarks) -> Vec<bool> {
        let mark = |place: usize| marks.users.get(place).copied().unwrap_or(0);
        let known =
            |place: usize, user: &UserId| self.users.get(user).and_then(|known| known.holds(mark(place)));
        let mut have: Vec<Option<bool>> =
            users.iter().enumerate().map(|(place, user)| known(place, user)).collect();
        let unknown: Vec<usize> = (0..users.len()).filter(|place| have[*place].is_none()).collect();
        if !unknown.is_empty() {
            let asked: Vec<UserId> = unknown.iter().map(|place| users[*place].clone()).collect();
            match self.store.devices_of(&asked).await {
                Ok(devices) => {
                    for (place, devices) in unknown.into_iter().zip(devices) {
                        let known = Known { has: !devices.is_empty(), mark: mark(place), at: Instant::now() };
                        self.users.insert(users[place].clone(), known);
                        have[place] = Some(known.has);
                    }
                }
                Err(error) => tracing::warn!(%error, "worker.devices_of"),
            }
        }
        have.into_iter().map(|has| has.unwrap_or(true)).collect()
    }
}

fn peer<'a>((entry, stored): &(&'a NewEntry, &Stored)) -> Option<&'a UserId> {
    entry.peer.as_ref().filter(|_| stored.kind == ConversationKind::Direct)
}
