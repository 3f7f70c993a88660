//! Removing a person.

use uuid::Uuid;

use super::PostgresStore;
use super::error::Failure;
use super::session::{Session, repeat};
use crate::model::{Timestamp, UserId};
use crate::store::StoreError;

/// Entries blanked by one statement: some 100 ms.
const PAGE: i64 = 5_000;

const PERSON: &str = "
UPDATE users
SET deactivated_at = coalesce(deactivated_at, $2), erased_at = $2,
    display_name = NULL, avatar_url = NULL, password_hash = NULL
WHERE id = $1";
const SESSIONS: &str = "DELETE FROM sessions WHERE user_id = $1";
const DEVICES: &str = "DELETE FROM devices WHERE user_id = $1";
const CONTACTS: &str = "DELETE FROM contacts WHERE user_id = $1 OR other_id = $1";
const BLOCKS: &str = "DELETE FROM blocks WHERE user_id = $1 OR other_id = $1";

const CONVERSATIONS: &str = "
SELECT conversation_id FROM members WHERE user_id = $1
UNION
SELECT conversation_id FROM former_members WHERE user_id = $1";

const LOCK: &str = "SELECT 1 FROM conversations WHERE id = $1 FOR NO KEY UPDATE";

/// The next page of the user's entries, blanked where they are texts or edits. Answers where the page ended; no row when there was none.
const BLANK: &str = "
WITH page AS MATERIALIZED (
    SELECT m.seq, m.client_id FROM messages m
    WHERE m.conversation_id = $1 AND m.sender_id = $2 AND m.client_id > $3
    ORDER BY m.client_id LIMIT $5
), blanked AS (
    UPDATE messages m
    SET text = NULL, data = NULL, deleted_at = CASE m.kind WHEN 0 THEN coalesce(m.deleted_at, $4) ELSE m.deleted_at END,
        extra = nullif((m.extra::jsonb - 'mentions')::text, '{}')
    FROM page p
    WHERE m.conversation_id = $1 AND m.seq = p.seq AND m.kind IN (0, 1)
)
SELECT client_id FROM page ORDER BY client_id DESC LIMIT 1";

impl PostgresStore {
    /// First the person goes, so that nothing more is appended in their name; then their texts, one conversation after the
    /// other, so that nobody's messages wait long. What was interrupted is finished by the same call again.
    pub(super) async fn erase_person(&self, user: &UserId, at: Timestamp) -> Result<bool, StoreError> {
        if !repeat(|| self.try_remove_person(user, at)).await? {
            return Ok(false);
        }
        let rows = self.session().await?.query(CONVERSATIONS, &[&user.as_str()]).await?;
        for row in rows {
            let conversation: Uuid = row.try_get(0).map_err(Failure::from)?;
            repeat(|| self.try_blank_texts(conversation, user, at)).await?;
        }
        Ok(true)
    }

    async fn try_remove_person(&self, user: &UserId, at: Timestamp) -> Result<bool, Failure> {
        let mut session = self.session().await?;
        session.begin().await?;
        let result = remove_person(&mut session, user, at).await;
        session.finish(result).await
    }

    async fn try_blank_texts(&self, conversation: Uuid, user: &UserId, at: Timestamp) -> Result<(), Failure> {
        let mut session = self.session().await?;
        session.begin().await?;
        let result = blank_texts(&mut session, conversation, user, at).await;
        session.finish(result).await
    }
}

async fn remove_person(session: &mut Session, user: &UserId, at: Timestamp) -> Result<bool, Failure> {
    let known = session.execute(PERSON, &[&user.as_str(), &at.as_millis()]).await?;
    for statement in [SESSIONS, DEVICES, CONTACTS, BLOCKS] {
        session.execute(statement, &[&user.as_str()]).await?;
    }
    Ok(known == 1)
}

async fn blank_texts(
    session: &mut Session,
    conversation: Uuid,
    user: &UserId,
    at: Timestamp,
) -> Result<(), Failure> {
    // Whatever was being appended in the user's name is there after this.
    session.execute(LOCK, &[&conversation]).await?;
    let mut after = Uuid::nil();
    while let Some(row) =
        session.query_opt(BLANK, &[&conversation, &user.as_str(), &after, &at.as_millis(), &PAGE]).await?
    {
        after = row.try_get(0)?;
    }
    Ok(())
}
