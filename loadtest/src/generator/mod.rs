//! The clients of a run: one task each, a few of them in this order.
//!
//! A [`worker`] is a thread with a share of the clients. It connects them at the scheduled rate;
//! each runs [`link`] (connect, log in, read until the end, connect again). The [`pacer`] writes
//! the sends straight into the sockets when they are due, [`inbound`] takes what arrives,
//! [`heal`] asks for what is missing, [`churn`] cuts connections.

mod churn;
mod heal;
mod inbound;
mod link;
mod outbound;
mod pacer;
mod resumed;
mod session;
mod target;
mod worker;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::checker::{Checker, ConversationKey, ReaderKey, UserKey};
use crate::clock::Clock;
use crate::plan::Plan;
use crate::scenario::Scenario;
use crate::stats::Tally;

pub use resumed::Stored;
pub use target::Target;
pub use worker::{Phase, Window, spawn};

/// What all threads share.
pub struct Shared {
    pub scenario: Scenario,
    pub plan: Plan,
    pub target: Target,
    pub clock: Clock,
    pub threads: usize,
    /// All conversations are between two: nothing to complete.
    pub is_direct: bool,
    /// Members with a socket, by conversation.
    pub listeners: Vec<u32>,
    /// The text of every message.
    pub text: String,
    /// Bearer tokens by user.
    pub tokens: Vec<String>,
    pub users: Vec<UserKey>,
    pub conversations: Vec<ConversationKey>,
    /// Readers of each user, in the order of the plan's memberships.
    pub readers: Vec<Vec<ReaderKey>>,
    pub checker: Mutex<Checker>,
    /// One a thread.
    pub tallies: Vec<Mutex<Tally>>,
    /// Members that have not yet got a message of a group, by the number of the send.
    pub incomplete: Mutex<HashMap<u32, u32>>,
    /// When each user last logged in, microseconds; 0 is never.
    pub online_since: Vec<AtomicU64>,
    pub connected: AtomicUsize,
}

impl Shared {
    /// Tokens, readers and everything else that a plan needs.
    pub fn new(
        scenario: Scenario,
        plan: Plan,
        target: Target,
        clock: Clock,
        threads: usize,
        tokens: Vec<String>,
    ) -> Arc<Self> {
        let mut checker = Checker::new(plan.tag);
        let users = plan.users.iter().map(|name| checker.user(name)).collect();
        let conversations: Vec<_> = plan.conversations.iter().map(|_| checker.conversation(None)).collect();
        let mut readers = Vec::with_capacity(plan.users.len());
        for (user, list) in plan.memberships.iter().enumerate() {
            let mut own = Vec::with_capacity(list.len());
            for conversation in list {
                let reader = checker.reader(conversations[*conversation as usize], 1);
                if !plan.online[user] {
                    checker.gave_up(reader);
                }
                own.push(reader);
            }
            readers.push(own);
        }
        let words = "The quick message goes to the other side and is read there at once. ";
        let text = words.chars().cycle().take(scenario.text_bytes).collect();
        let is_direct = plan.conversations.iter().all(|planned| planned.direct);
        let listening = |planned: &crate::plan::Planned| {
            let members = planned.members.iter();
            members.filter(|member| plan.online[**member as usize]).count() as u32
        };
        let listeners = plan.conversations.iter().map(listening).collect();
        let online_since = plan.users.iter().map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self {
            scenario,
            plan,
            target,
            clock,
            threads,
            is_direct,
            listeners,
            text,
            tokens,
            users,
            conversations,
            readers,
            checker: Mutex::new(checker),
            tallies: (0..threads).map(|_| Mutex::new(Tally::default())).collect(),
            incomplete: Mutex::new(HashMap::new()),
            online_since,
            connected: AtomicUsize::new(0),
        })
    }

    pub fn checker(&self) -> MutexGuard<'_, Checker> {
        lock(&self.checker)
    }

    /// The thread that runs a user's client.
    pub fn thread_of(&self, user: u32) -> usize {
        user as usize * self.threads / self.plan.users.len().max(1)
    }
}

/// A lock whose holder panicked is taken all the same: the run ends with that panic anyhow.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
