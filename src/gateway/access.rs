//! Who may do what: the gateway's view of conversations, a cache. The worker's transaction decides in the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::time::Instant;

use super::coalesce::Coalescer;
use super::session::Problem;
use crate::model::{ConversationId, ConversationKind, Role, Seq, UserId, View};
use crate::protocol::ErrorCode;
use crate::store::{Store, StoreError};

/// A conversation as this gateway last saw it.
#[derive(Debug)]
pub struct Known {
    pub view: View,
    loaded_at: Instant,
    /// The store has it. Until then every entry has to bring along what makes it: the first one may be refused, or lost.
    stored: AtomicBool,
}

impl Known {
    /// A direct conversation that was opened here, and nobody knows yet that the store has it.
    pub fn is_to_be_made(&self) -> bool {
        !self.stored.load(Ordering::Relaxed)
    }
}

pub struct Access {
    known: Cache<ConversationId, Arc<Known>, ByMembers>,
    views: Coalescer<ConversationId, Option<View>>,
}

/// A view costs by its members.
#[derive(Clone)]
struct ByMembers;

impl Weighter<ConversationId, Arc<Known>> for ByMembers {
    fn weight(&self, _: &ConversationId, known: &Arc<Known>) -> u64 {
        // Some 40 bytes a member and 200 beside them, in units of a member.
        known.view.members.len() as u64 + BESIDE_MEMBERS
    }
}

const BESIDE_MEMBERS: u64 = 5;
/// A direct conversation, which is what nearly all are.
const DIRECT: u64 = 2 + BESIDE_MEMBERS;

/// A view that nobody tells about changes (no member is connected here) is not trusted for longer than this.
const TRUSTED: Duration = Duration::from_secs(5);

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    pub id: &'a UserId,
    /// Has a socket here, so this gateway hears of every change that concerns them and its views of their conversations are current.
    pub connected: bool,
}

/// What a user wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// See that it is there, type, read, react.
    Take,
    /// Write a message.
    Write,
    /// Leave it, which anyone may.
    Leave,
    /// Change the title or the members.
    Manage,
}

impl Access {
    /// `capacity` in direct conversations; one with more members counts for more.
    pub fn new(store: Arc<dyn Store>, capacity: usize) -> Self {
        let views = Coalescer::new(move |ids: Vec<ConversationId>| {
            let store = Arc::clone(&store);
            async move { store.views(&ids).await }
        });
        let known = Cache::with_weighter(capacity.max(16), capacity.max(16) as u64 * DIRECT, ByMembers);
        Self { known, views }
    }

    /// The conversation, when this gateway knows without asking the store that `user` may do this with it.
    pub fn known(&self, id: ConversationId, user: &Asking<'_>, action: Action) -> Option<Arc<Known>> {
        let known = self.known.get(&id)?;
        let current = user.connected || known.loaded_at.elapsed() < TRUSTED;
        (current && decide(&known, user.id, action).is_ok()).then_some(known)
    }

    /// The conversation, when `user` may do this with it. A refusal by a view that may be old is checked with the store.
    pub async fn check(
        &self,
        id: ConversationId,
        user: &Asking<'_>,
        action: Action,
    ) -> Result<Arc<Known>, Problem> {
        if let Some(known) = self.known(id, user, action) {
            return Ok(known);
        }
        let known = match self.load(id).await {
            Ok(Some(known)) => known,
            Ok(None) => return Err(Problem::no_conversation()),
            // The store is away: what was known may do; the worker decides in the end.
            Err(problem) => match self.known.get(&id) {
                Some(known) if problem.code == ErrorCode::Unavailable => known,
                Some(_) | None => return Err(problem),
            },
        };
        decide(&known, user.id, action).map(|()| known)
    }

    /// Loads the conversation anew.
    pub async fn load(&self, id: ConversationId) -> Result<Option<Arc<Known>>, Problem> {
        let view = self.views.get(id).await.map_err(|error| look_up_failed(&error))?;
        let Some(view) = view else {
            self.known.remove(&id);
            return Ok(None);
        };
        let known = Arc::new(Known { view, loaded_at: Instant::now(), stored: AtomicBool::new(true) });
        self.known.insert(id, Arc::clone(&known));
        Ok(Some(known))
    }

    /// A direct conversation that was just opened here is known at once, before the worker made it.
    pub fn opened(&self, id: ConversationId, user: &UserId, peer: &UserId) {
        let mut members = vec![(user.clone(), Role::Member), (peer.clone(), Role::Member)];
        members.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let view = View {
            id,
            kind: ConversationKind::Direct,
            members_seq: Seq::ZERO,
            members,
            blockers: Vec::new(),
        };
        if self.known.peek(&id).is_some_and(|known| !known.is_to_be_made()) {
            return;
        }
        let known = Known { view, loaded_at: Instant::now(), stored: AtomicBool::new(false) };
        self.known.insert(id, Arc::new(known));
    }

    /// An entry of the conversation came back: the store has it, and its members changed last at this seq.
    pub fn stored(&self, id: ConversationId, members_seq: Seq) {
        if let Some(known) = self.known.peek(&id) {
            known.stored.store(true, Ordering::Relaxed);
        }
        self.members_changed(id, members_seq);
    }

    /// The members changed at this seq: an older view is forgotten.
    pub fn members_changed(&self, id: ConversationId, members_seq: Seq) {
        if self.known.peek(&id).is_some_and(|known| known.view.members_seq < members_seq) {
            self.known.remove(&id);
        }
    }

    /// Events were missed: nothing known can be trusted.
    pub fn forget_all(&self) {
        self.known.clear();
    }

    pub fn forget(&self, id: ConversationId) {
        self.known.remove(&id);
    }
}

/// Whether the view allows it.
///
/// # Errors
/// The answer to the user.
pub fn decide(known: &Known, user: &UserId, action: Action) -> Result<(), Problem> {
    let Some(role) = known.view.role_of(user) else { return Err(Problem::no_conversation()) };
    let forbidden = |message| Err(Problem::new(ErrorCode::Forbidden, message));
    match (action, known.view.kind) {
        (Action::Take, _)
        | (Action::Write, ConversationKind::Group)
        | (Action::Leave, ConversationKind::Group | ConversationKind::Channel) => Ok(()),
        (Action::Write, ConversationKind::Direct) => {
            if known.view.blockers.iter().any(|blocker| blocker != user) {
                return forbidden("this user does not take messages from you");
            }
            Ok(())
        }
        (Action::Manage | Action::Leave, ConversationKind::Direct) => {
            forbidden("a direct conversation has its two members for ever")
        }
        (Action::Write, ConversationKind::Channel) | (Action::Manage, _) if role.manages() => Ok(()),
        (Action::Write, ConversationKind::Channel) => forbidden("only owner and admins write in a channel"),
        (Action::Manage, _) => forbidden("only owner and admins may do that"),
    }
}

/// The answer when a shared look-up failed.
pub fn look_up_failed(error: &StoreError) -> Problem {
    if error.is_retryable() {
        Problem::unavailable("the database is away", super::session::STORE_RETRY_MS)
    } else {
        Problem::new(ErrorCode::Internal, "the database refused this")
    }
}
