//! Making users and direct conversations before the first entry.

use std::collections::{BTreeMap, BTreeSet};

use deadpool_postgres::Object;
use tokio_postgres::Statement;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::super::error::Failure;
use super::super::session::Session;
use crate::model::{ConversationId, NewEntry, Timestamp, UserId};

/// The ids come sorted: two that make the same users wait for each other in one order.
pub(in super::super) const MAKE_USERS: &str = "
INSERT INTO users (id, created_at)
SELECT wanted.id, $2::bigint FROM unnest($1::text[]) AS wanted (id)
ON CONFLICT (id) DO NOTHING";

/// Sorted by id as well. Not made: what misses a user, and, when $6, what its maker may not write to.
pub(in super::super) const MAKE_DIRECT: &str = "
WITH wanted AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[])
        AS w (id, low_user, high_user, maker, created_at)
), made AS (
    INSERT INTO conversations (id, kind, low_user, high_user, created_by, created_at, member_count)
    SELECT w.id, 0, w.low_user, w.high_user, w.maker, w.created_at, 2
    FROM wanted w
    WHERE (SELECT u.deactivated_at IS NULL OR NOT $6::boolean FROM users u WHERE u.id = w.low_user)
      AND (SELECT u.deactivated_at IS NULL OR NOT $6::boolean FROM users u WHERE u.id = w.high_user)
      AND (NOT $6::boolean OR (
          SELECT true FROM blocks b
          WHERE b.user_id = CASE w.maker WHEN w.low_user THEN w.high_user ELSE w.low_user END AND b.other_id = w.maker
      ) IS NULL)
    ON CONFLICT (id) DO NOTHING
    RETURNING id, low_user, high_user
)
INSERT INTO members (conversation_id, user_id, kind, role)
SELECT made.id, who.user_id, 0, 2
FROM made CROSS JOIN LATERAL (VALUES (made.low_user), (made.high_user)) AS who (user_id)";

/// With whom the entry opens a direct conversation. An id that does not follow from the two users would make a second
/// conversation of them, so it opens none.
pub(super) fn opened_with(entry: &NewEntry) -> Option<&UserId> {
    let peer = entry.peer.as_ref().filter(|_| entry.create)?;
    let is_theirs =
        *peer != entry.sender_id && entry.conversation_id == ConversationId::direct(&entry.sender_id, peer);
    is_theirs.then_some(peer)
}

/// What a batch wants made, as columns for the two statements.
#[derive(Default)]
pub(in super::super) struct Wanted<'a> {
    users: Vec<&'a str>,
    made_at: i64,
    ids: Vec<Uuid>,
    low: Vec<&'a str>,
    high: Vec<&'a str>,
    makers: Vec<&'a str>,
    created: Vec<i64>,
    /// Whether a direct conversation is only made where its maker may write to it.
    only_writable: bool,
}

impl<'a> Wanted<'a> {
    /// What the entries with `create` want; `None` when no entry has it.
    pub(super) fn of(batch: &'a [NewEntry]) -> Option<Self> {
        let mut users = BTreeSet::new();
        let mut pairs = BTreeMap::new();
        for entry in batch {
            let Some(peer) = opened_with(entry) else {
                continue;
            };
            if entry.provision {
                users.insert(&entry.sender_id);
                users.insert(peer);
            }
            pairs.entry(entry.conversation_id).or_insert((&entry.sender_id, peer, entry.received_at()));
        }
        if pairs.is_empty() {
            return None;
        }
        let mut wanted = Self {
            users: users.into_iter().map(UserId::as_str).collect(),
            made_at: Timestamp::now().as_millis(),
            only_writable: true,
            ..Self::default()
        };
        for (id, (maker, peer, at)) in pairs {
            wanted.add_direct(id, maker, peer, at);
        }
        Some(wanted)
    }

    /// One direct conversation, whoever may write to it.
    pub(in super::super) fn direct(
        maker: &'a UserId,
        peer: &'a UserId,
        provision: bool,
        at: Timestamp,
    ) -> Self {
        let mut wanted = Self { made_at: at.as_millis(), ..Self::default() };
        if provision {
            let sorted: BTreeSet<_> = [maker.as_str(), peer.as_str()].into();
            wanted.users = sorted.into_iter().collect();
        }
        wanted.add_direct(ConversationId::direct(maker, peer), maker, peer, at);
        wanted
    }

    fn add_direct(&mut self, id: ConversationId, maker: &'a UserId, peer: &'a UserId, at: Timestamp) {
        self.ids.push(id.as_uuid());
        self.low.push(maker.min(peer).as_str());
        self.high.push(maker.max(peer).as_str());
        self.makers.push(maker.as_str());
        self.created.push(at.as_millis());
    }

    /// Prepares the statements, so that they can be sent without waiting.
    pub(super) async fn prepare<'b>(
        wanted: Option<&'b Self>,
        session: &mut Session,
    ) -> Result<Option<Making<'b>>, Failure> {
        let Some(wanted) = wanted else {
            return Ok(None);
        };
        Ok(Some(Making {
            wanted,
            users: session.prepare(MAKE_USERS).await?,
            direct: session.prepare(MAKE_DIRECT).await?,
        }))
    }

    /// For [`MAKE_USERS`].
    fn user_parameters(&self) -> [&(dyn ToSql + Sync); 2] {
        [&self.users, &self.made_at]
    }

    /// For [`MAKE_DIRECT`].
    fn direct_parameters(&self) -> [&(dyn ToSql + Sync); 6] {
        [&self.ids, &self.low, &self.high, &self.makers, &self.created, &self.only_writable]
    }

    /// Makes them; answers how many member rows were made, so 0 when the conversations were there or could not be made.
    pub(in super::super) async fn make(&self, session: &mut Session) -> Result<u64, Failure> {
        if !self.users.is_empty() {
            session.execute(MAKE_USERS, &self.user_parameters()).await?;
        }
        session.execute(MAKE_DIRECT, &self.direct_parameters()).await
    }
}

/// What is wanted, ready to be sent ahead of the statements that need it.
pub(super) struct Making<'a> {
    wanted: &'a Wanted<'a>,
    users: Statement,
    direct: Statement,
}

impl Making<'_> {
    /// Sends when it is first polled.
    pub(super) async fn send(making: Option<&Self>, client: &Object) -> Result<(), tokio_postgres::Error> {
        let Some(making) = making else {
            return Ok(());
        };
        let users = making.wanted.user_parameters();
        let direct = making.wanted.direct_parameters();
        let (users, direct) = tokio::join!(
            biased;
            client.execute(&making.users, &users),
            client.execute(&making.direct, &direct),
        );
        users.and(direct).map(|_| ())
    }
}
