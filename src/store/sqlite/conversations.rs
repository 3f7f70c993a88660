//! Conversations and their members.

mod make;
mod seen;

use rusqlite::{Connection, OptionalExtension};

use super::SqliteStore;
use super::log::Touched;
use crate::model::{
    Conversation, ConversationId, ConversationKind, Member, Membership, Timestamp, UserId, View,
};
use crate::store::{Conversations, Created, NewGroup, PageOf, Preferences, StoreError};

pub(super) use make::{Maker, Start, add_member, bar_in, bar_where_needed, direct as make_direct};
pub(super) use seen::notify;

const KIND: &str = "SELECT kind, members_seq FROM conversations WHERE id = ?1";
const ROLES: &str = "SELECT user_id, role FROM members WHERE conversation_id = ?1 ORDER BY user_id";
const BLOCKERS: &str = "
    SELECT blocker.user_id FROM members blocker
    JOIN members blocked ON blocked.conversation_id = blocker.conversation_id AND blocked.user_id <> blocker.user_id
    JOIN relations r ON r.relation = 1 AND r.user_id = blocker.user_id AND r.other_id = blocked.user_id
    WHERE blocker.conversation_id = ?1";
const GROUPS: &str = "
    SELECT m.conversation_id, c.members_seq
    FROM members m JOIN conversations c ON c.id = m.conversation_id
    WHERE m.user_id = ?1 AND m.kind <> ?2 ORDER BY m.conversation_id";
const PREFER: &str = "
    UPDATE members SET notify = coalesce(?3, notify),
                       muted_until = CASE WHEN ?4 THEN ?5 ELSE muted_until END
    WHERE conversation_id = ?1 AND user_id = ?2";

#[async_trait::async_trait]
impl Conversations for SqliteStore {
    async fn create_group(&self, group: &NewGroup) -> Result<Created, StoreError> {
        let group = group.clone();
        self.write(move |connection| make::group(connection, &group)).await
    }

    async fn create_direct(
        &self,
        user: &UserId,
        peer: &UserId,
        provision: bool,
        created_at: Timestamp,
    ) -> Result<Created, StoreError> {
        let (user, peer) = (user.clone(), peer.clone());
        self.write(move |connection| {
            let by = Maker { provision, at: created_at };
            make::direct(connection, &user, &peer, &by)
        })
        .await
    }

    async fn views(&self, ids: &[ConversationId]) -> Result<Vec<Option<View>>, StoreError> {
        let ids = ids.to_vec();
        self.read_of(Touched::Nothing, move |connection| ids.iter().map(|id| view(connection, *id)).collect())
            .await
    }

    async fn groups_of(&self, users: &[UserId]) -> Result<Vec<Vec<Membership>>, StoreError> {
        let users = users.to_vec();
        self.read_of(Touched::Nothing, move |connection| {
            users.iter().map(|user| groups(connection, user)).collect()
        })
        .await
    }

    async fn conversations_of(&self, pages: &[PageOf]) -> Result<Vec<Vec<Conversation>>, StoreError> {
        let pages = pages.to_vec();
        let touched = Touched::Users(pages.iter().map(|page| page.user_id.clone()).collect());
        self.read_of(touched, move |connection| {
            let mut found = seen::pages(connection, &pages)?;
            seen::show_members(connection, &mut found)?;
            Ok(found)
        })
        .await
    }

    async fn pages_of(&self, pages: &[PageOf]) -> Result<Vec<Vec<Conversation>>, StoreError> {
        let pages = pages.to_vec();
        let touched = Touched::Users(pages.iter().map(|page| page.user_id.clone()).collect());
        self.read_of(touched, move |connection| seen::pages(connection, &pages)).await
    }

    async fn shown_members(&self, ids: &[ConversationId]) -> Result<Vec<Vec<Member>>, StoreError> {
        let ids = ids.to_vec();
        self.read_of(Touched::Conversations(ids.clone()), move |connection| {
            ids.iter().map(|id| seen::shown(connection, *id)).collect()
        })
        .await
    }

    async fn conversation_for(
        &self,
        id: ConversationId,
        users: &[UserId],
    ) -> Result<Vec<Option<Conversation>>, StoreError> {
        let users = users.to_vec();
        self.read_of(Touched::Conversations(vec![id]), move |connection| {
            seen::by_each(connection, id, &users)
        })
        .await
    }

    async fn members(
        &self,
        id: ConversationId,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<Member>, StoreError> {
        let after = after.cloned();
        self.read_of(Touched::Conversations(vec![id]), move |connection| {
            seen::members(connection, id, after.as_ref(), limit)
        })
        .await
    }

    async fn set_preferences(
        &self,
        id: ConversationId,
        user: &UserId,
        preferences: &Preferences,
    ) -> Result<bool, StoreError> {
        let (user, wished) = (user.clone(), preferences.clone());
        self.write(move |connection| {
            let changed = connection.prepare_cached(PREFER)?.execute((
                id,
                &user,
                wished.notify,
                wished.muted_until.is_some(),
                wished.muted_until.flatten(),
            ))?;
            Ok(changed == 1)
        })
        .await
    }
}

fn view(connection: &Connection, id: ConversationId) -> Result<Option<View>, StoreError> {
    let mut statement = connection.prepare_cached(KIND)?;
    let found = statement.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((kind, members_seq)) = found else {
        return Ok(None);
    };
    let mut statement = connection.prepare_cached(ROLES)?;
    let members =
        statement.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    let blockers = match kind {
        ConversationKind::Direct => connection
            .prepare_cached(BLOCKERS)?
            .query_map([id], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?,
        ConversationKind::Group | ConversationKind::Channel => Vec::new(),
    };
    Ok(Some(View { id, kind, members_seq, members, blockers }))
}

fn groups(connection: &Connection, user: &UserId) -> Result<Vec<Membership>, StoreError> {
    let mut statement = connection.prepare_cached(GROUPS)?;
    let groups = statement
        .query_map((user, ConversationKind::Direct), |row| {
            Ok(Membership { conversation_id: row.get(0)?, members_seq: row.get(1)? })
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(groups)
}
