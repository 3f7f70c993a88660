//! Removing a person: what remains is a name without anything behind it.

use rusqlite::Connection;

use crate::model::{Timestamp, UserId};

const PERSON: &str = "
    UPDATE users SET display_name = NULL, avatar_url = NULL, password_hash = NULL, erased_at = ?2
    WHERE id = ?1";
const SESSIONS: &str = "DELETE FROM sessions WHERE user_id = ?1";
const DEVICES: &str = "DELETE FROM devices WHERE user_id = ?1";
/// Also what others wrote down about the person.
const RELATIONS: &str = "
    DELETE FROM relations WHERE (relation IN (0, 1) AND user_id = ?1) OR other_id = ?1";
/// Conversation by conversation, because the log has no index by sender alone; a `title_changed`
/// keeps its text, which is the conversation's title and not the person's.
const MESSAGES: &str = "
    UPDATE messages SET text = NULL, data = NULL, extra = json_remove(extra, '$.mentions'),
                        deleted_at = CASE kind WHEN 0 THEN coalesce(deleted_at, ?2) ELSE deleted_at END
    WHERE conversation IN (
              SELECT number FROM conversations WHERE id IN (
                  SELECT conversation_id FROM members WHERE user_id = ?1
                  UNION SELECT conversation_id FROM former_members WHERE user_id = ?1))
      AND sender_id = ?1 AND kind IN (0, 1)";

pub(super) fn person(connection: &Connection, user: &UserId, at: Timestamp) -> rusqlite::Result<()> {
    connection.execute(PERSON, (user, at))?;
    connection.execute(SESSIONS, [user])?;
    connection.execute(DEVICES, [user])?;
    connection.execute(RELATIONS, [user])?;
    connection.execute(MESSAGES, (user, at))?;
    Ok(())
}
