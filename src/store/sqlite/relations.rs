//! Contacts and blocks, and what follows from them.

use super::log::Touched;
use super::{SqliteStore, conversations, users};
use crate::model::{ConversationId, UserId};
use crate::store::{Relation, Relations, StoreError};

const ADD: &str = "
    INSERT INTO relations (relation, user_id, other_id) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
const REMOVE: &str = "DELETE FROM relations WHERE relation = ?1 AND user_id = ?2 AND other_id = ?3";
const ALL: &str = "SELECT other_id FROM relations WHERE relation = ?1 AND user_id = ?2 ORDER BY other_id";
const ONE: &str = "SELECT 1 FROM relations WHERE relation = ?1 AND user_id = ?2 AND other_id = ?3";
const SHARE: &str = "
    SELECT 1 FROM members mine WHERE mine.user_id = ?1 AND EXISTS (
        SELECT 1 FROM members theirs WHERE theirs.conversation_id = mine.conversation_id AND theirs.user_id = ?2)";

/// The number under which a relation is kept; never reused.
const fn code(relation: Relation) -> i64 {
    match relation {
        Relation::Contact => 0,
        Relation::Block => 1,
    }
}

#[async_trait::async_trait]
impl Relations for SqliteStore {
    async fn add_relation(
        &self,
        relation: Relation,
        user: &UserId,
        other: &UserId,
    ) -> Result<bool, StoreError> {
        let (user, other) = (user.clone(), other.clone());
        let touched = Touched::Conversations(vec![ConversationId::direct(&user, &other)]);
        self.write_of(touched, move |connection| {
            if !users::exists(connection, &other)? {
                return Ok(false);
            }
            connection.prepare_cached(ADD)?.execute((code(relation), &user, &other))?;
            if relation == Relation::Block {
                conversations::bar_in(connection, ConversationId::direct(&user, &other))?;
            }
            Ok(true)
        })
        .await
    }

    async fn remove_relation(
        &self,
        relation: Relation,
        user: &UserId,
        other: &UserId,
    ) -> Result<bool, StoreError> {
        let (user, other) = (user.clone(), other.clone());
        let touched = Touched::Conversations(vec![ConversationId::direct(&user, &other)]);
        self.write_of(touched, move |connection| {
            let removed = connection.prepare_cached(REMOVE)?.execute((code(relation), &user, &other))?;
            if relation == Relation::Block {
                conversations::bar_in(connection, ConversationId::direct(&user, &other))?;
            }
            Ok(removed == 1)
        })
        .await
    }

    async fn relations(&self, relation: Relation, user: &UserId) -> Result<Vec<UserId>, StoreError> {
        let user = user.clone();
        self.read_of(Touched::Nothing, move |connection| {
            let mut statement = connection.prepare_cached(ALL)?;
            let others = statement
                .query_map((code(relation), &user), |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            Ok(others)
        })
        .await
    }

    async fn is_related(
        &self,
        relation: Relation,
        user: &UserId,
        other: &UserId,
    ) -> Result<bool, StoreError> {
        let (user, other) = (user.clone(), other.clone());
        self.read_of(Touched::Nothing, move |connection| {
            let mut statement = connection.prepare_cached(ONE)?;
            Ok(statement.exists((code(relation), &user, &other))?)
        })
        .await
    }

    async fn visible_to(&self, viewer: &UserId, targets: &[UserId]) -> Result<Vec<UserId>, StoreError> {
        let (viewer, targets) = (viewer.clone(), targets.to_vec());
        self.read_of(Touched::Nothing, move |connection| {
            let mut added = connection.prepare_cached(ONE)?;
            let mut share = connection.prepare_cached(SHARE)?;
            let mut visible = Vec::with_capacity(targets.len());
            for target in targets {
                if target == viewer
                    || added.exists((code(Relation::Contact), &target, &viewer))?
                    || share.exists((&viewer, &target))?
                {
                    visible.push(target);
                }
            }
            Ok(visible)
        })
        .await
    }
}
