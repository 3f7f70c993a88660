//! Users, their accounts and sign-ins.

use rusqlite::{Connection, OptionalExtension, Row};

use super::log::Touched;
use super::{SqliteStore, conversations};
use crate::model::{Admission, Denial, Profile, SessionId, Timestamp, UserId};
use crate::store::{NewAccount, ProfileChange, Session, StoreError, Users};

mod erase;

const MAKE: &str = "INSERT INTO users (id, created_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
const STANDING: &str = "SELECT deactivated_at, tokens_valid_from FROM users WHERE id = ?1";
const SESSION_LIVES: &str = "SELECT 1 FROM sessions WHERE id = ?1 AND user_id = ?2 AND ended_at IS NULL";
const MAKE_ACCOUNT: &str = "
    INSERT INTO users (id, password_hash, display_name, created_at) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT DO NOTHING";
const PASSWORD: &str = "SELECT password_hash FROM users WHERE id = ?1 AND deactivated_at IS NULL";
const MAKE_SESSION: &str =
    "INSERT INTO sessions (id, user_id, created_at, expires_at) VALUES (?1, ?2, ?3, ?4)";
const END_SESSION: &str =
    "UPDATE sessions SET ended_at = ?3 WHERE id = ?1 AND user_id = ?2 AND ended_at IS NULL";
const UNBIND: &str = "DELETE FROM devices WHERE session_id = ?1";
const PROFILE: &str = "SELECT id, display_name, avatar_url, deactivated_at FROM users WHERE id = ?1";
const CHANGE: &str = "
    UPDATE users SET display_name = CASE WHEN ?2 THEN ?3 ELSE display_name END,
                     avatar_url = CASE WHEN ?4 THEN ?5 ELSE avatar_url END
    WHERE id = ?1";
const REACTIVATE: &str =
    "UPDATE users SET deactivated_at = NULL WHERE id = ?1 AND deactivated_at IS NOT NULL";
const DEACTIVATE: &str = "UPDATE users SET deactivated_at = coalesce(deactivated_at, ?2) WHERE id = ?1";
/// A device goes with the token that registered it.
const UNBIND_UNTIL: &str = "DELETE FROM devices WHERE user_id = ?1 AND registered_at <= ?2";
const UNBIND_ALL: &str = "DELETE FROM devices WHERE user_id = ?1";
const END_SESSIONS: &str = "UPDATE sessions SET ended_at = ?2 WHERE user_id = ?1 AND ended_at IS NULL";
const REVOKE: &str =
    "UPDATE users SET tokens_valid_from = max(coalesce(tokens_valid_from, ?2), ?2) WHERE id = ?1";

#[async_trait::async_trait]
impl Users for SqliteStore {
    async fn admit(&self, admissions: &[Admission]) -> Result<Vec<Result<(), Denial>>, StoreError> {
        let asked = admissions.to_vec();
        let answers: Vec<_> = self
            .read_of(Touched::Nothing, move |connection| {
                asked.iter().map(|one| admit(connection, one)).collect()
            })
            .await?;
        let unknown_to_make = admissions
            .iter()
            .zip(&answers)
            .any(|(one, answer)| one.provision && *answer == Err(Denial::Unknown));
        if !unknown_to_make {
            return Ok(answers);
        }
        let asked = admissions.to_vec();
        self.write_of(Touched::Nothing, move |connection| {
            let answer = |one: &Admission| match admit(connection, one)? {
                Err(Denial::Unknown) if one.provision && one.session_id.is_none() => {
                    make(connection, &one.user_id, Timestamp::now())?;
                    Ok(Ok(()))
                }
                answer => Ok(answer),
            };
            asked.iter().map(answer).collect()
        })
        .await
    }

    async fn create_account(&self, account: &NewAccount) -> Result<bool, StoreError> {
        let account = account.clone();
        self.write_of(Touched::Nothing, move |connection| {
            let made = connection.prepare_cached(MAKE_ACCOUNT)?.execute((
                &account.user_id,
                &account.password_hash,
                &account.display_name,
                Timestamp::now(),
            ))?;
            Ok(made == 1)
        })
        .await
    }

    async fn password_hash(&self, user: &UserId) -> Result<Option<String>, StoreError> {
        let user = user.clone();
        self.read_of(Touched::Nothing, move |connection| {
            let mut statement = connection.prepare_cached(PASSWORD)?;
            let hash = statement.query_row([&user], |row| row.get(0)).optional()?;
            Ok(hash.flatten())
        })
        .await
    }

    async fn create_session(&self, session: &Session) -> Result<(), StoreError> {
        let session = session.clone();
        self.write_of(Touched::Nothing, move |connection| {
            connection.prepare_cached(MAKE_SESSION)?.execute((
                session.id,
                &session.user_id,
                Timestamp::now(),
                session.expires_at,
            ))?;
            Ok(())
        })
        .await
    }

    async fn end_session(&self, user: &UserId, session: SessionId) -> Result<bool, StoreError> {
        let user = user.clone();
        self.write_of(Touched::Nothing, move |connection| {
            let ended =
                connection.prepare_cached(END_SESSION)?.execute((session, &user, Timestamp::now()))?;
            if ended == 1 {
                connection.prepare_cached(UNBIND)?.execute([session])?;
            }
            Ok(ended == 1)
        })
        .await
    }

    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        let users = users.to_vec();
        self.read_of(Touched::Nothing, move |connection| {
            let mut profiles = Vec::with_capacity(users.len());
            for user in &users {
                profiles.extend(profile(connection, user)?);
            }
            Ok(profiles)
        })
        .await
    }

    async fn provision(&self, user: &UserId, change: &ProfileChange) -> Result<Profile, StoreError> {
        let (user, wished) = (user.clone(), change.clone());
        self.write(move |connection| {
            make(connection, &user, Timestamp::now())?;
            change_profile(connection, &user, &wished)?;
            if connection.prepare_cached(REACTIVATE)?.execute([&user])? == 1 {
                conversations::bar_where_needed(connection, &user)?;
            }
            // Made two statements before, in the same transaction.
            profile(connection, &user)?.ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
        })
        .await
    }

    async fn change_profile(
        &self,
        user: &UserId,
        change: &ProfileChange,
    ) -> Result<Option<Profile>, StoreError> {
        let (user, wished) = (user.clone(), change.clone());
        self.write(move |connection| {
            change_profile(connection, &user, &wished)?;
            Ok(profile(connection, &user)?)
        })
        .await
    }

    async fn deactivate(&self, user: &UserId, at: Timestamp) -> Result<bool, StoreError> {
        let user = user.clone();
        self.write(move |connection| deactivate(connection, &user, at)).await
    }

    async fn erase(&self, user: &UserId, at: Timestamp) -> Result<bool, StoreError> {
        let user = user.clone();
        self.write(move |connection| {
            let known = deactivate(connection, &user, at)?;
            if known {
                erase::person(connection, &user, at)?;
            }
            Ok(known)
        })
        .await
    }

    async fn revoke(&self, user: &UserId, at: Timestamp) -> Result<bool, StoreError> {
        let user = user.clone();
        self.write_of(Touched::Nothing, move |connection| {
            connection.prepare_cached(UNBIND_UNTIL)?.execute((&user, at))?;
            Ok(connection.prepare_cached(REVOKE)?.execute((&user, at))? == 1)
        })
        .await
    }
}

fn admit(connection: &Connection, one: &Admission) -> Result<Result<(), Denial>, StoreError> {
    let mut statement = connection.prepare_cached(STANDING)?;
    let standing: Option<(Option<Timestamp>, Option<Timestamp>)> =
        statement.query_row([&one.user_id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((deactivated_at, valid_from)) = standing else {
        return Ok(Err(Denial::Unknown));
    };
    if deactivated_at.is_some() {
        return Ok(Err(Denial::Deactivated));
    }
    // A token that does not say when it was made may be older than the revocation.
    if valid_from.is_some_and(|from| one.issued_at.is_none_or(|issued| issued < from)) {
        return Ok(Err(Denial::Revoked));
    }
    if let Some(session) = one.session_id {
        let mut statement = connection.prepare_cached(SESSION_LIVES)?;
        if !statement.exists((session, &one.user_id))? {
            return Ok(Err(Denial::Revoked));
        }
    }
    Ok(Ok(()))
}

/// Makes a user unless there is one; `true` when it did.
pub(super) fn make(connection: &Connection, user: &UserId, at: Timestamp) -> rusqlite::Result<bool> {
    Ok(connection.prepare_cached(MAKE)?.execute((user, at))? == 1)
}

pub(super) fn exists(connection: &Connection, user: &UserId) -> rusqlite::Result<bool> {
    connection.prepare_cached(STANDING)?.exists([user])
}

fn profile(connection: &Connection, user: &UserId) -> rusqlite::Result<Option<Profile>> {
    let read = |row: &Row<'_>| {
        Ok(Profile {
            id: row.get(0)?,
            display_name: row.get(1)?,
            avatar_url: row.get(2)?,
            deactivated_at: row.get(3)?,
        })
    };
    connection.prepare_cached(PROFILE)?.query_row([user], read).optional()
}

fn change_profile(connection: &Connection, user: &UserId, change: &ProfileChange) -> rusqlite::Result<()> {
    connection.prepare_cached(CHANGE)?.execute((
        user,
        change.display_name.is_some(),
        change.display_name.as_ref().and_then(Option::as_ref),
        change.avatar_url.is_some(),
        change.avatar_url.as_ref().and_then(Option::as_ref),
    ))?;
    Ok(())
}

fn deactivate(connection: &Connection, user: &UserId, at: Timestamp) -> Result<bool, StoreError> {
    if connection.prepare_cached(DEACTIVATE)?.execute((user, at))? == 0 {
        return Ok(false);
    }
    connection.prepare_cached(UNBIND_ALL)?.execute([user])?;
    connection.prepare_cached(END_SESSIONS)?.execute((user, at))?;
    conversations::bar_where_needed(connection, user)?;
    Ok(true)
}
