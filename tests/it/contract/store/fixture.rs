//! What every test of the contract starts from.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use tidings::model::{
    Body, ClientId, Conversation, ConversationId, ConversationKind, Entry, EntryKind, NewEntry, Refusal,
    Role, Seq, Timestamp, UserId,
};
use tidings::store::{Appended, Created, HistoryPage, NewGroup, ProfileChange, Range, Store, Stored};
use uuid::Uuid;

/// No test waits longer for anything.
const DEADLINE: Duration = Duration::from_secs(60);

pub struct Fixture {
    pub store: Arc<dyn Store>,
    /// Makes this test's users unlike those of others.
    suffix: String,
    /// What the store lives on: a folder, a server.
    _ground: Box<dyn Any + Send + Sync>,
}

impl Fixture {
    pub fn new(store: Arc<dyn Store>, ground: impl Any + Send + Sync) -> Self {
        let mut suffix = Uuid::new_v4().simple().to_string();
        suffix.truncate(12);
        Self { store, suffix, _ground: Box::new(ground) }
    }

    /// A name of this test alone; names sort as `name` does.
    pub fn name(&self, name: &str) -> UserId {
        UserId::parse(&format!("{name}-{}", self.suffix)).unwrap()
    }

    /// Users whom the store knows.
    pub async fn users<const N: usize>(&self, names: [&str; N]) -> [UserId; N] {
        let users = names.map(|name| self.name(name));
        for user in &users {
            let nothing = ProfileChange::default();
            self.store.provision(user, &nothing).await.unwrap();
        }
        users
    }

    pub async fn direct(&self, one: &UserId, other: &UserId) -> ConversationId {
        let created = self.store.create_direct(one, other, true, Timestamp::now()).await.unwrap();
        match created {
            Created::New(id) | Created::Existed(id) => id,
            Created::UnknownUser(user) => panic!("{user} is not known"),
        }
    }

    pub async fn group(&self, owner: &UserId, members: &[&UserId]) -> ConversationId {
        self.conversation(ConversationKind::Group, owner, members).await
    }

    pub async fn channel(&self, owner: &UserId, members: &[&UserId]) -> ConversationId {
        self.conversation(ConversationKind::Channel, owner, members).await
    }

    async fn conversation(
        &self,
        kind: ConversationKind,
        owner: &UserId,
        members: &[&UserId],
    ) -> ConversationId {
        let mut group = new_group(owner, members);
        group.kind = kind;
        match self.store.create_group(&group).await.unwrap() {
            Created::New(id) => id,
            other => panic!("not made: {other:?}"),
        }
    }

    pub async fn append(&self, batch: &[NewEntry]) -> Vec<Appended> {
        let append = self.store.append(batch);
        let outcomes = tokio::time::timeout(DEADLINE, append).await;
        let outcomes = outcomes.expect("append takes too long").unwrap();
        assert_eq!(outcomes.len(), batch.len());
        outcomes
    }

    /// Appends one entry that must be stored.
    pub async fn stored(&self, entry: NewEntry) -> Stored {
        let kind = entry.kind;
        match self.append(&[entry]).await.remove(0) {
            Appended::Stored(stored) => stored,
            Appended::Refused(refusal) => panic!("{kind:?} was refused: {refusal:?}"),
        }
    }

    /// Appends one entry that must be refused.
    pub async fn refused(&self, entry: NewEntry) -> Refusal {
        let kind = entry.kind;
        match self.append(&[entry]).await.remove(0) {
            Appended::Refused(refusal) => refusal,
            Appended::Stored(stored) => panic!("{kind:?} was stored: {stored:?}"),
        }
    }

    pub async fn say(&self, id: ConversationId, sender: &UserId, text: &str) -> Seq {
        self.stored(said(id, sender, text)).await.seq
    }

    /// All that the user can see of a log.
    pub async fn log(&self, id: ConversationId, user: &UserId) -> Vec<Entry> {
        let page = self.page(id, user, Range::After(Seq::ZERO), 10_000).await;
        assert!(!page.has_more);
        page.entries
    }

    pub async fn page(&self, id: ConversationId, user: &UserId, range: Range, limit: usize) -> HistoryPage {
        let page = self.store.history(id, user, range, limit).await.unwrap();
        page.expect("the user is a member")
    }

    /// The conversation as a member sees it.
    pub async fn seen_by(&self, id: ConversationId, user: &UserId) -> Conversation {
        let seen = self.store.conversation_for(id, std::slice::from_ref(user)).await;
        let seen = seen.unwrap().remove(0);
        seen.expect("the user is a member")
    }

    /// Members with their roles, by user id.
    pub async fn roles(&self, id: ConversationId) -> Vec<(UserId, Role)> {
        let view = self.store.views(&[id]).await.unwrap().remove(0);
        view.expect("the conversation is there").members
    }
}

pub fn new_group(owner: &UserId, members: &[&UserId]) -> NewGroup {
    NewGroup {
        id: ConversationId::new(),
        kind: ConversationKind::Group,
        title: "Team".to_owned(),
        creator: owner.clone(),
        members: members.iter().copied().cloned().collect(),
        client_id: None,
        provision: true,
        created_at: Timestamp::now(),
    }
}

/// An entry into a conversation that is there.
pub fn entry(id: ConversationId, sender: &UserId, kind: EntryKind, body: Body) -> NewEntry {
    NewEntry {
        conversation_id: id,
        sender_id: sender.clone(),
        client_id: ClientId::new(),
        kind,
        body,
        peer: None,
        create: false,
        provision: false,
        received_ms: Timestamp::now().as_millis(),
        origin: None,
        push: None,
    }
}

pub fn said(id: ConversationId, sender: &UserId, text: &str) -> NewEntry {
    let body = Body { text: Some(text.to_owned()), ..Body::default() };
    entry(id, sender, EntryKind::Text, body)
}

/// A text to a user, which makes the conversation, and when allowed the users.
pub fn said_to(sender: &UserId, peer: &UserId, text: &str) -> NewEntry {
    NewEntry {
        peer: Some(peer.clone()),
        create: true,
        provision: true,
        ..said(ConversationId::direct(sender, peer), sender, text)
    }
}

/// An edit, delete or reaction.
pub fn aimed(id: ConversationId, sender: &UserId, kind: EntryKind, target: Seq) -> NewEntry {
    let text = (kind == EntryKind::Edit).then(|| "edited".to_owned());
    let emoji = (kind == EntryKind::Reaction).then(|| "👍".to_owned());
    let body = Body { text, emoji, target_seq: Some(target), ..Body::default() };
    entry(id, sender, kind, body)
}

/// A `member_joined`, `member_left` or `role_changed`.
pub fn about(
    id: ConversationId,
    sender: &UserId,
    kind: EntryKind,
    users: &[&UserId],
    role: Option<Role>,
) -> NewEntry {
    let body = Body { user_ids: users.iter().copied().cloned().collect(), role, ..Body::default() };
    entry(id, sender, kind, body)
}

pub fn texts(entries: &[Entry]) -> Vec<&str> {
    let text = |entry: &'_ Entry| entry.body.text.is_some();
    entries.iter().filter(|entry| text(entry)).filter_map(|entry| entry.body.text.as_deref()).collect()
}

pub fn seqs(entries: &[Entry]) -> Vec<i64> {
    entries.iter().map(|entry| entry.seq.get()).collect()
}
