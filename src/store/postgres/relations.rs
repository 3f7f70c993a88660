//! Contacts and blocks, and what follows from them.

use uuid::Uuid;

use super::PostgresStore;
use super::error::Failure;
use super::values::{parse_user, user_id};
use crate::model::{ConversationId, UserId};
use crate::store::{Relation, Relations, StoreError};

/// The statements on one of the two tables.
struct Statements {
    add: &'static str,
    remove: &'static str,
    all: &'static str,
    one: &'static str,
}

macro_rules! statements {
    ($table:literal) => {
        Statements {
            add: concat!(
                "WITH added AS (INSERT INTO ",
                $table,
                " (user_id, other_id) SELECT $1, u.id FROM users u WHERE u.id = $2 ON CONFLICT DO NOTHING)
                 SELECT 1 FROM users WHERE id = $2"
            ),
            remove: concat!("DELETE FROM ", $table, " WHERE user_id = $1 AND other_id = $2"),
            all: concat!("SELECT other_id FROM ", $table, " WHERE user_id = $1 ORDER BY other_id"),
            one: concat!("SELECT 1 FROM ", $table, " WHERE user_id = $1 AND other_id = $2"),
        }
    };
}

const CONTACTS: Statements = statements!("contacts");
const BLOCKS: Statements = statements!("blocks");

const fn statements(relation: Relation) -> &'static Statements {
    match relation {
        Relation::Contact => &CONTACTS,
        Relation::Block => &BLOCKS,
    }
}

/// A direct conversation is found by its id, which the caller gives; of the others only the viewer's groups are looked through.
const VISIBLE: &str = "
SELECT t.user_id
FROM unnest($2::text[], $3::uuid[]) AS t (user_id, direct_id)
WHERE t.user_id = $1
   OR (SELECT true FROM contacts c WHERE c.user_id = t.user_id AND c.other_id = $1)
   OR (SELECT true FROM conversations c WHERE c.id = t.direct_id)
   OR (SELECT true FROM members mine
       JOIN members theirs ON theirs.conversation_id = mine.conversation_id AND theirs.user_id = t.user_id
       WHERE mine.user_id = $1 AND mine.kind <> 0 LIMIT 1)";

#[async_trait::async_trait]
impl Relations for PostgresStore {
    async fn add_relation(
        &self,
        relation: Relation,
        user: &UserId,
        other: &UserId,
    ) -> Result<bool, StoreError> {
        let row = self
            .session()
            .await?
            .query_opt(statements(relation).add, &[&user.as_str(), &other.as_str()])
            .await?;
        Ok(row.is_some())
    }

    async fn remove_relation(
        &self,
        relation: Relation,
        user: &UserId,
        other: &UserId,
    ) -> Result<bool, StoreError> {
        let removed = self
            .session()
            .await?
            .execute(statements(relation).remove, &[&user.as_str(), &other.as_str()])
            .await?;
        Ok(removed == 1)
    }

    async fn relations(&self, relation: Relation, user: &UserId) -> Result<Vec<UserId>, StoreError> {
        let rows = self.session().await?.query(statements(relation).all, &[&user.as_str()]).await?;
        let users: Result<Vec<_>, Failure> = rows.iter().map(|row| user_id(row, "other_id")).collect();
        Ok(users?)
    }

    async fn is_related(
        &self,
        relation: Relation,
        user: &UserId,
        other: &UserId,
    ) -> Result<bool, StoreError> {
        let row = self
            .session()
            .await?
            .query_opt(statements(relation).one, &[&user.as_str(), &other.as_str()])
            .await?;
        Ok(row.is_some())
    }

    async fn visible_to(&self, viewer: &UserId, targets: &[UserId]) -> Result<Vec<UserId>, StoreError> {
        Ok(self.read_visible(viewer, targets).await?)
    }
}

impl PostgresStore {
    async fn read_visible(&self, viewer: &UserId, targets: &[UserId]) -> Result<Vec<UserId>, Failure> {
        let names: Vec<&str> = targets.iter().map(UserId::as_str).collect();
        let directs: Vec<Uuid> =
            targets.iter().map(|target| ConversationId::direct(viewer, target).as_uuid()).collect();
        let rows = self.session().await?.query(VISIBLE, &[&viewer.as_str(), &names, &directs]).await?;
        rows.iter().map(|row| parse_user(row.try_get(0)?)).collect()
    }
}
