//! Who is connected here: sockets by user, and local members by group.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::session::Session;
use crate::model::{ConversationId, Membership, Seq, UserId, View};

/// The sockets of this gateway. Locks are short and never held across an await.
pub struct Registry {
    users: Shards<UserId, Local>,
    groups: Shards<ConversationId, LocalGroup>,
    sessions: AtomicUsize,
}

/// A user with at least one socket here.
#[derive(Default)]
struct Local {
    sessions: Vec<Arc<Session>>,
    groups: Vec<ConversationId>,
}

/// A group with at least one member connected here.
#[derive(Default)]
struct LocalGroup {
    /// Of which change of members `users` knows; an event with a higher one has them loaded anew.
    members_seq: Seq,
    users: HashSet<UserId>,
}

const SHARDS: usize = 64;

struct Shards<K, V> {
    shards: Box<[Mutex<HashMap<K, V>>]>,
    hasher: RandomState,
}

impl<K: Hash + Eq, V> Shards<K, V> {
    fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), hasher: RandomState::new() }
    }

    fn of(&self, key: &K) -> MutexGuard<'_, HashMap<K, V>> {
        let shard = self.hasher.hash_one(key) as usize % SHARDS;
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn each(&self) -> impl Iterator<Item = MutexGuard<'_, HashMap<K, V>>> {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self { users: Shards::new(), groups: Shards::new(), sessions: AtomicUsize::new(0) }
    }
}

impl Registry {
    /// Sockets that have said who they are.
    pub fn sockets(&self) -> usize {
        self.sessions.load(Ordering::Relaxed)
    }

    /// Adds a socket; answers how many its user has here now.
    pub fn add(&self, session: &Arc<Session>) -> usize {
        self.sessions.fetch_add(1, Ordering::Relaxed);
        let mut shard = self.users.of(&session.user_id);
        let local = shard.entry(session.user_id.clone()).or_default();
        local.sessions.push(Arc::clone(session));
        local.sessions.len()
    }

    /// Removes a socket; answers the groups that nobody here is a member of any more, when it was its user's last.
    pub fn remove(&self, session: &Session) -> Option<Vec<ConversationId>> {
        let mut shard = self.users.of(&session.user_id);
        let Entry::Occupied(mut local) = shard.entry(session.user_id.clone()) else { return None };
        let before = local.get().sessions.len();
        local.get_mut().sessions.retain(|other| other.id != session.id);
        self.sessions.fetch_sub(before - local.get().sessions.len(), Ordering::Relaxed);
        if !local.get().sessions.is_empty() {
            return None;
        }
        let groups = local.remove().groups;
        drop(shard);
        Some(groups.into_iter().filter(|group| self.leave(*group, &session.user_id)).collect())
    }

    pub fn is_connected(&self, user: &UserId) -> bool {
        self.users.of(user).contains_key(user)
    }

    /// Whether every socket of the user here, of which there is one at least, is in the background.
    pub fn is_idle(&self, user: &UserId) -> bool {
        let shard = self.users.of(user);
        shard.get(user).is_some_and(|local| local.sessions.iter().all(|session| !session.is_active()))
    }

    pub fn for_each_session_of(&self, user: &UserId, mut visit: impl FnMut(&Arc<Session>)) {
        if let Some(local) = self.users.of(user).get(user) {
            for session in &local.sessions {
                visit(session);
            }
        }
    }

    /// All sockets, a shard at a time.
    pub fn for_each_session(&self, mut visit: impl FnMut(&Arc<Session>)) {
        for shard in self.users.each() {
            for session in shard.values().flat_map(|local| &local.sessions) {
                visit(session);
            }
        }
    }

    /// The user, who is connected here, is a member of these groups; answers those that had nobody here before.
    pub fn join(&self, user: &UserId, memberships: &[Membership]) -> Vec<ConversationId> {
        let mut fresh = Vec::new();
        for membership in memberships {
            let mut shard = self.groups.of(&membership.conversation_id);
            if !self.note_group(user, membership.conversation_id) {
                return fresh;
            }
            let group = shard.entry(membership.conversation_id).or_insert_with(|| {
                fresh.push(membership.conversation_id);
                LocalGroup { members_seq: membership.members_seq, users: HashSet::new() }
            });
            group.users.insert(user.clone());
            // Read before a change that the group knows of already: the next event has the members loaded anew.
            group.members_seq = group.members_seq.min(membership.members_seq);
        }
        fresh
    }

    /// Notes a group with its member, to be left with the user's last socket; `false` when they are not connected. The group's shard
    /// has to be locked: whoever removes the user locks it afterwards, so a group never keeps somebody who is gone.
    fn note_group(&self, user: &UserId, group: ConversationId) -> bool {
        let mut shard = self.users.of(user);
        let Some(local) = shard.get_mut(user) else { return false };
        if !local.groups.contains(&group) {
            local.groups.push(group);
        }
        true
    }

    /// Takes a user out of a group; whether nobody here is left in it.
    pub fn leave(&self, group: ConversationId, user: &UserId) -> bool {
        let mut shard = self.groups.of(&group);
        let Entry::Occupied(mut entry) = shard.entry(group) else { return false };
        entry.get_mut().users.remove(user);
        if entry.get().users.is_empty() {
            entry.remove();
            return true;
        }
        false
    }

    pub fn has_group(&self, group: ConversationId) -> bool {
        self.groups.of(&group).contains_key(&group)
    }

    /// Whether this gateway knows the user as a member of the group.
    pub fn has_member(&self, group: ConversationId, user: &UserId) -> bool {
        self.groups.of(&group).get(&group).is_some_and(|local| local.users.contains(user))
    }

    /// Whether the group's local members are those of this change of members, or of a later one.
    pub fn knows_members(&self, group: ConversationId, members_seq: Seq) -> bool {
        self.groups.of(&group).get(&group).is_some_and(|local| local.members_seq >= members_seq)
    }

    /// The group's members as the store had them when the view was read. An older view than what is known says nothing.
    pub fn set_members(&self, view: &View) {
        // Locked first: who comes in meanwhile joins afterwards, and who left is not taken in again.
        let mut shard = self.groups.of(&view.id);
        if shard.get(&view.id).is_some_and(|local| local.members_seq > view.members_seq) {
            return;
        }
        let members = view.members.iter().map(|(user, _)| user);
        let connected: HashSet<UserId> =
            members.filter(|user| self.note_group(user, view.id)).cloned().collect();
        if connected.is_empty() {
            shard.remove(&view.id);
        } else {
            shard.insert(view.id, LocalGroup { members_seq: view.members_seq, users: connected });
        }
    }

    /// The group's members who are connected here.
    pub fn members_here(&self, group: ConversationId) -> Vec<UserId> {
        self.groups
            .of(&group)
            .get(&group)
            .map(|local| local.users.iter().cloned().collect())
            .unwrap_or_default()
    }

    pub fn users(&self) -> Vec<UserId> {
        self.users.each().flat_map(|shard| shard.keys().cloned().collect::<Vec<_>>()).collect()
    }

    pub fn groups(&self) -> Vec<ConversationId> {
        self.groups.each().flat_map(|shard| shard.keys().copied().collect::<Vec<_>>()).collect()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::gateway::limits::TokenBucket;
    use crate::gateway::rates::UserRates;
    use crate::gateway::session::NewSession;
    use crate::model::{ConversationKind, Role, SessionId, Timestamp};
    use crate::protocol::Encoding;

    fn session(user: &UserId) -> Arc<Session> {
        Arc::new(Session::new(NewSession {
            id: SessionId::new(),
            user_id: user.clone(),
            device_id: None,
            sign_in: None,
            encoding: Encoding::Json,
            outbox_bytes: 1024,
            active: true,
            expires_at: Timestamp::from_millis(i64::MAX),
            issued_at: None,
            messages: TokenBucket::new(1, 1, Instant::now()),
            user_messages: UserRates::new(&crate::config::Config::defaults().gateway).of(user),
        }))
    }

    fn view(id: ConversationId, members_seq: i64, members: &[&UserId]) -> View {
        let members = members.iter().map(|user| ((*user).clone(), Role::Member)).collect();
        let (kind, members_seq) = (ConversationKind::Group, Seq::new(members_seq));
        View { id, kind, members_seq, members, blockers: Vec::new() }
    }

    #[test]
    fn who_comes_in_while_the_members_are_set_stays_a_member_and_who_left_is_none() {
        let (registry, user) = (Registry::default(), UserId::parse("alice").unwrap());
        let view = view(ConversationId::new(), 3, &[&user]);
        let membership = Membership { conversation_id: view.id, members_seq: view.members_seq };
        let session = session(&user);
        let done = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let setter = scope.spawn(|| {
                while done.load(Ordering::Relaxed) == 0 {
                    registry.set_members(&view);
                }
            });
            let missed = (0..50_000).filter(|_| {
                registry.add(&session);
                registry.join(&user, &[membership]);
                let missed = !registry.has_member(view.id, &user);
                registry.remove(&session);
                missed || registry.has_member(view.id, &user)
            });
            let missed = missed.count();
            done.store(1, Ordering::Relaxed);
            setter.join().unwrap();
            assert_eq!(missed, 0);
        });
        assert!(!registry.has_group(view.id));
    }

    #[test]
    fn an_older_view_of_the_members_says_nothing() {
        let registry = Registry::default();
        let (alice, bob) = (UserId::parse("alice").unwrap(), UserId::parse("bob").unwrap());
        registry.add(&session(&alice));
        registry.add(&session(&bob));
        let id = ConversationId::new();
        registry.set_members(&view(id, 5, &[&alice, &bob]));
        registry.set_members(&view(id, 4, &[&alice]));
        assert!(registry.has_member(id, &bob));
        registry.set_members(&view(id, 6, &[&alice]));
        assert!(!registry.has_member(id, &bob));
    }
}
