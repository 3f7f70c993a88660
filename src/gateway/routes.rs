//! Keeping the routes: one task tells the fan-out which users and groups this gateway holds.
//!
//! It always registers what the registry says *then*, so calls for one user or group can neither overtake nor contradict each other,
//! and those that come together share one call.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::registry::Registry;
use super::shelf::Shelves;
use crate::fanout::{Fanout, FanoutError};
use crate::model::{ConversationId, Event, EventBody, GatewayId, Status, Target, UserId};
use crate::protocol::{PresenceFrame, Resync, ServerFrame, encode};

/// Tells the keeper that something may have changed.
#[derive(Clone)]
pub struct Routes {
    changes: mpsc::Sender<Change>,
}

enum Change {
    Keys(Vec<Key>, oneshot::Sender<()>),
    /// A new subscription: everything is registered under its id.
    Gateway(GatewayId, oneshot::Sender<()>),
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    User(UserId),
    Group(ConversationId),
}

/// Changes that may wait; past that callers wait to be let in.
const WAITING: usize = 16_384;
/// Keys in one call.
const TOGETHER: usize = 1024;
/// How long the fan-out may take. A login goes on without a route then, which is tried again.
const DEADLINE: Duration = Duration::from_secs(2);
/// After what could not be registered it is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Routes {
    pub fn start(registry: Arc<Registry>, shelves: Arc<Shelves>, fanout: Arc<dyn Fanout>) -> Self {
        let (changes, inbox) = mpsc::channel(WAITING);
        let keeper = Keeper {
            registry,
            shelves,
            fanout,
            gateway: None,
            users: HashSet::new(),
            idle: HashSet::new(),
            groups: HashSet::new(),
            failed: HashSet::new(),
            again_at: None,
        };
        tokio::spawn(keeper.run(inbox));
        Self { changes }
    }

    /// A user's first socket came, their last one went, or one came to the foreground or left it; returns when the fan-out knows, or is known to be away.
    pub async fn user(&self, user: UserId) {
        self.changed(vec![Key::User(user)]).await;
    }

    pub async fn groups(&self, groups: Vec<ConversationId>) {
        if !groups.is_empty() {
            self.changed(groups.into_iter().map(Key::Group).collect()).await;
        }
    }

    /// Registers everything under a new id.
    pub async fn move_to(&self, gateway: GatewayId) {
        let (done, wait) = oneshot::channel();
        if self.changes.send(Change::Gateway(gateway, done)).await.is_ok() {
            // An error means that the keeper is gone, and the process with it.
            let _ = wait.await;
        }
    }

    async fn changed(&self, keys: Vec<Key>) {
        let (done, wait) = oneshot::channel();
        if self.changes.send(Change::Keys(keys, done)).await.is_ok() {
            let _ = wait.await;
        }
    }
}

struct Keeper {
    registry: Arc<Registry>,
    shelves: Arc<Shelves>,
    fanout: Arc<dyn Fanout>,
    gateway: Option<GatewayId>,
    /// What the fan-out knows.
    users: HashSet<UserId>,
    idle: HashSet<UserId>,
    groups: HashSet<ConversationId>,
    /// What the fan-out could not be told yet.
    failed: HashSet<Key>,
    /// When that is tried again.
    again_at: Option<Instant>,
}

impl Keeper {
    async fn run(mut self, mut inbox: mpsc::Receiver<Change>) {
        let mut changes = Vec::new();
        loop {
            let again = async {
                match self.again_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                received = inbox.recv_many(&mut changes, TOGETHER) => if received == 0 { return },
                () = again => {}
            }
            let due = self.again_at.is_some_and(|at| at <= Instant::now());
            let late = if due { std::mem::take(&mut self.failed) } else { HashSet::new() };
            let mut keys = late.clone();
            let mut waiting = Vec::new();
            for change in changes.drain(..) {
                match change {
                    Change::Keys(changed, done) => {
                        keys.extend(changed);
                        waiting.push(done);
                    }
                    Change::Gateway(gateway, done) => {
                        self.gateway = Some(gateway);
                        self.users.clear();
                        self.idle.clear();
                        self.groups.clear();
                        keys.extend(self.registry.users().into_iter().map(Key::User));
                        keys.extend(self.registry.groups().into_iter().map(Key::Group));
                        waiting.push(done);
                    }
                }
            }
            for key in &late {
                self.doubt(key);
            }
            let keys: Vec<Key> = keys.into_iter().collect();
            let told = self.tell(&keys).await;
            for key in keys.iter().take(told).filter(|key| late.contains(key)) {
                self.resync(key);
            }
            self.failed.extend(keys.into_iter().skip(told));
            let kept = self.again_at.filter(|_| !due);
            self.again_at =
                (!self.failed.is_empty()).then(|| kept.unwrap_or_else(|| Instant::now() + AGAIN_AFTER));
            for done in waiting {
                // Whoever waited may have gone.
                let _ = done.send(());
            }
        }
    }

    /// A call that ran out of time may have been done, and later than another: the fan-out is told again, whatever is believed.
    fn doubt(&mut self, key: &Key) {
        match key {
            Key::User(user) => {
                believe(&mut self.users, user, !self.registry.is_connected(user));
                believe(&mut self.idle, user, !self.registry.is_idle(user));
            }
            Key::Group(group) => believe(&mut self.groups, group, !self.registry.has_group(*group)),
        }
    }

    /// Tells the fan-out of these keys; answers of how many, which are all but when it is away: then nobody waits for the rest.
    async fn tell(&mut self, keys: &[Key]) -> usize {
        let mut told = 0;
        for some in keys.chunks(TOGETHER) {
            match tokio::time::timeout(DEADLINE, self.settle(some)).await {
                Ok(Ok(())) => told += some.len(),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "gateway.routes");
                    break;
                }
                Err(_) => {
                    tracing::warn!(deadline = ?DEADLINE, "gateway.routes");
                    break;
                }
            }
        }
        told
    }

    /// Brings the fan-out's knowledge of these keys up to the registry's.
    async fn settle(&mut self, keys: &[Key]) -> Result<(), FanoutError> {
        let Some(gateway) = self.gateway else { return Ok(()) };
        let (mut came, mut went, mut opened, mut closed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut dozed, mut woke) = (Vec::new(), Vec::new());
        for key in keys {
            match key {
                Key::User(user) => {
                    sort(user, self.registry.is_connected(user), &self.users, &mut came, &mut went);
                    sort(user, self.registry.is_idle(user), &self.idle, &mut dozed, &mut woke);
                }
                Key::Group(group) => {
                    sort(group, self.registry.has_group(*group), &self.groups, &mut opened, &mut closed);
                }
            }
        }
        // Whoever is back is woken before anything else can fail: their acknowledgement is waited for again.
        if !woke.is_empty() {
            self.fanout.unregister_idle(gateway, &woke).await?;
            for user in &woke {
                self.idle.remove(user);
            }
        }
        if !came.is_empty() {
            self.fanout.register_users(gateway, &came).await?;
            self.users.extend(came.iter().cloned());
            self.announce(&came).await?;
        }
        if !dozed.is_empty() {
            self.fanout.register_idle(gateway, &dozed).await?;
            self.idle.extend(dozed);
        }
        if !opened.is_empty() {
            self.fanout.register_groups(gateway, &opened).await?;
            self.groups.extend(opened);
        }
        if !went.is_empty() {
            self.fanout.unregister_users(gateway, &went).await?;
            for user in &went {
                self.users.remove(user);
            }
            self.fanout.saw(&went, crate::model::Timestamp::now()).await?;
            self.announce(&went).await?;
        }
        if !closed.is_empty() {
            self.fanout.unregister_groups(gateway, &closed).await?;
            for group in &closed {
                self.groups.remove(group);
            }
        }
        Ok(())
    }

    /// The route came late: what was stored meanwhile did not come here.
    fn resync(&self, key: &Key) {
        let users = match key {
            Key::User(user) => vec![user.clone()],
            Key::Group(group) => {
                self.shelves.forget(*group);
                self.registry.members_here(*group)
            }
        };
        let json = encode(&ServerFrame::Resync(Resync { reason: "the route was registered late" }));
        for user in users {
            self.registry.for_each_session_of(&user, |session| session.send_json(&json));
        }
    }

    /// Tells the watchers of these users how they are now.
    async fn announce(&self, users: &[UserId]) -> Result<(), FanoutError> {
        let mut events = Vec::with_capacity(users.len());
        for presence in self.fanout.presence(users).await? {
            let here = self.users.contains(&presence.user_id);
            if here != (presence.status == Status::Online) {
                // Still there by another gateway.
                continue;
            }
            let json = encode(&ServerFrame::Presence(PresenceFrame { reference: None, presence: &presence }));
            events.push(Event {
                target: Target::Watchers(presence.user_id),
                body: EventBody::Frame { json, stamp: None, except: None, received_ms: 0 },
            });
        }
        self.fanout.publish(events).await
    }
}

fn believe<K: Hash + Eq + Clone>(known: &mut HashSet<K>, key: &K, there: bool) {
    if there {
        known.insert(key.clone());
    } else {
        known.remove(key);
    }
}

fn sort<K: Hash + Eq + Clone>(
    key: &K,
    wanted: bool,
    known: &HashSet<K>,
    add: &mut Vec<K>,
    remove: &mut Vec<K>,
) {
    match (wanted, known.contains(key)) {
        (true, false) => add.push(key.clone()),
        (false, true) => remove.push(key.clone()),
        (true, true) | (false, false) => {}
    }
}
