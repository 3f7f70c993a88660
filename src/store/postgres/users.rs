//! Users, their accounts and sign-ins.

use tokio_postgres::Row;
use uuid::Uuid;

use super::PostgresStore;
use super::error::Failure;
use super::session::{Session as Connection, repeat};
use super::values::{parse_user, place, timestamp, user_id};
use crate::model::{Admission, Denial, Profile, SessionId, Timestamp, UserId};
use crate::store::{NewAccount, ProfileChange, Session, StoreError, Users};

/// Who is missing and wanted is made, in the order of the ids so that two of these cannot deadlock. The rest of the
/// statement does not see them yet: a user who is wanted and not there is one who was just made. With a sign-in of their own
/// there was a user, so such a one is not made.
const ADMIT: &str = "
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::uuid[], $4::boolean[])
        WITH ORDINALITY AS a (user_id, issued_at, session_id, provision, place)
), made AS (
    INSERT INTO users (id, created_at)
    SELECT DISTINCT a.user_id, $5::bigint FROM asked a
    WHERE a.provision AND a.session_id IS NULL AND (SELECT true FROM users u WHERE u.id = a.user_id) IS NULL
    ORDER BY a.user_id
    ON CONFLICT (id) DO NOTHING
)
SELECT a.place,
       u.id IS NULL AND (NOT a.provision OR a.session_id IS NOT NULL) AS unknown,
       u.deactivated_at IS NOT NULL AS deactivated,
       coalesce(u.tokens_valid_from > coalesce(a.issued_at, 0), false)
       OR a.session_id IS NOT NULL AND coalesce((
           SELECT s.ended_at IS NOT NULL FROM sessions s WHERE s.id = a.session_id AND s.user_id = a.user_id
       ), true) AS revoked
FROM asked a
LEFT JOIN users u ON u.id = a.user_id";

const CREATE_ACCOUNT: &str = "
INSERT INTO users (id, created_at, password_hash, display_name) VALUES ($1, $2, $3, $4)
ON CONFLICT (id) DO NOTHING";

const PASSWORD_HASH: &str = "SELECT password_hash FROM users WHERE id = $1 AND deactivated_at IS NULL";

/// Those of the user's sign-ins that ran out go, so that they do not pile up.
const CREATE_SESSION: &str = "
WITH over AS (DELETE FROM sessions WHERE user_id = $2 AND expires_at < $4 AND id <> $1)
INSERT INTO sessions (id, user_id, created_at, expires_at) VALUES ($1, $2, $4, $3)";

const END_SESSION: &str = "
WITH ended AS (
    UPDATE sessions SET ended_at = $3 WHERE id = $2 AND user_id = $1 AND ended_at IS NULL RETURNING id
), unbound AS (
    DELETE FROM devices d USING ended e WHERE d.session_id = e.id
)
SELECT 1 FROM ended";

const PROFILES: &str = "
SELECT u.id, u.display_name, u.avatar_url, u.deactivated_at
FROM unnest($1::text[]) AS asked (id) JOIN users u ON u.id = asked.id";

const PROVISION: &str = "
INSERT INTO users (id, created_at, display_name, avatar_url) VALUES ($1, $2, $4, $6)
ON CONFLICT (id) DO UPDATE
    SET display_name = CASE WHEN $3::boolean THEN $4::text ELSE users.display_name END,
        avatar_url = CASE WHEN $5::boolean THEN $6::text ELSE users.avatar_url END,
        deactivated_at = NULL
RETURNING id, display_name, avatar_url, deactivated_at";

const CHANGE_PROFILE: &str = "
UPDATE users
SET display_name = CASE WHEN $2::boolean THEN $3::text ELSE display_name END,
    avatar_url = CASE WHEN $4::boolean THEN $5::text ELSE avatar_url END
WHERE id = $1
RETURNING id, display_name, avatar_url, deactivated_at";

const DEACTIVATE: &str = "
WITH ended AS (UPDATE sessions SET ended_at = $2 WHERE user_id = $1 AND ended_at IS NULL),
     unbound AS (DELETE FROM devices WHERE user_id = $1)
UPDATE users SET deactivated_at = coalesce(deactivated_at, $2) WHERE id = $1";

/// A device goes with the token that registered it.
const REVOKE: &str = "
WITH unbound AS (DELETE FROM devices WHERE user_id = $1 AND registered_at <= $2)
UPDATE users SET tokens_valid_from = greatest(tokens_valid_from, $2) WHERE id = $1";

const FIRST_UNKNOWN: &str = "
SELECT wanted.id FROM unnest($1::text[]) WITH ORDINALITY AS wanted (id, place)
WHERE (SELECT true FROM users u WHERE u.id = wanted.id) IS NULL
ORDER BY wanted.place LIMIT 1";

#[async_trait::async_trait]
impl Users for PostgresStore {
    async fn admit(&self, admissions: &[Admission]) -> Result<Vec<Result<(), Denial>>, StoreError> {
        repeat(|| self.try_admit(admissions)).await
    }

    async fn create_account(&self, account: &NewAccount) -> Result<bool, StoreError> {
        let changed = self
            .session()
            .await?
            .execute(
                CREATE_ACCOUNT,
                &[
                    &account.user_id.as_str(),
                    &Timestamp::now().as_millis(),
                    &account.password_hash,
                    &account.display_name,
                ],
            )
            .await?;
        Ok(changed == 1)
    }

    async fn password_hash(&self, user: &UserId) -> Result<Option<String>, StoreError> {
        let mut session = self.session().await?;
        let row = session.query_opt(PASSWORD_HASH, &[&user.as_str()]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose().map_err(Failure::from)?.flatten())
    }

    async fn create_session(&self, session: &Session) -> Result<(), StoreError> {
        self.session()
            .await?
            .execute(
                CREATE_SESSION,
                &[
                    &session.id.as_uuid(),
                    &session.user_id.as_str(),
                    &session.expires_at.as_millis(),
                    &Timestamp::now().as_millis(),
                ],
            )
            .await?;
        Ok(())
    }

    async fn end_session(&self, user: &UserId, session: SessionId) -> Result<bool, StoreError> {
        let row = self
            .session()
            .await?
            .query_opt(END_SESSION, &[&user.as_str(), &session.as_uuid(), &Timestamp::now().as_millis()])
            .await?;
        Ok(row.is_some())
    }

    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        let ids: Vec<&str> = users.iter().map(UserId::as_str).collect();
        let rows = self.session().await?.query(PROFILES, &[&ids]).await?;
        let profiles: Result<Vec<_>, _> = rows.iter().map(profile).collect();
        Ok(profiles?)
    }

    async fn provision(&self, user: &UserId, change: &ProfileChange) -> Result<Profile, StoreError> {
        let row = self
            .session()
            .await?
            .query_opt(
                PROVISION,
                &[
                    &user.as_str(),
                    &Timestamp::now().as_millis(),
                    &change.display_name.is_some(),
                    &change.display_name.clone().flatten(),
                    &change.avatar_url.is_some(),
                    &change.avatar_url.clone().flatten(),
                ],
            )
            .await?;
        // Without a row another transaction removed what this one saw, which nothing here does.
        Ok(profile(&row.ok_or(Failure::Raced)?)?)
    }

    async fn change_profile(
        &self,
        user: &UserId,
        change: &ProfileChange,
    ) -> Result<Option<Profile>, StoreError> {
        let row = self
            .session()
            .await?
            .query_opt(
                CHANGE_PROFILE,
                &[
                    &user.as_str(),
                    &change.display_name.is_some(),
                    &change.display_name.clone().flatten(),
                    &change.avatar_url.is_some(),
                    &change.avatar_url.clone().flatten(),
                ],
            )
            .await?;
        Ok(row.as_ref().map(profile).transpose()?)
    }

    async fn deactivate(&self, user: &UserId, at: Timestamp) -> Result<bool, StoreError> {
        let changed = self.session().await?.execute(DEACTIVATE, &[&user.as_str(), &at.as_millis()]).await?;
        Ok(changed == 1)
    }

    async fn erase(&self, user: &UserId, at: Timestamp) -> Result<bool, StoreError> {
        self.erase_person(user, at).await
    }

    async fn revoke(&self, user: &UserId, at: Timestamp) -> Result<bool, StoreError> {
        let changed = self.session().await?.execute(REVOKE, &[&user.as_str(), &at.as_millis()]).await?;
        Ok(changed == 1)
    }
}

impl PostgresStore {
    async fn try_admit(&self, admissions: &[Admission]) -> Result<Vec<Result<(), Denial>>, Failure> {
        let mut users = Vec::with_capacity(admissions.len());
        let mut issued: Vec<Option<i64>> = Vec::with_capacity(admissions.len());
        let mut sessions: Vec<Option<Uuid>> = Vec::with_capacity(admissions.len());
        let mut provision = Vec::with_capacity(admissions.len());
        for admission in admissions {
            users.push(admission.user_id.as_str());
            issued.push(admission.issued_at.map(Timestamp::as_millis));
            sessions.push(admission.session_id.map(|id| id.as_uuid()));
            provision.push(admission.provision);
        }
        let rows = self
            .session()
            .await?
            .query(ADMIT, &[&users, &issued, &sessions, &provision, &Timestamp::now().as_millis()])
            .await?;
        let mut verdicts = vec![Err(Denial::Unknown); admissions.len()];
        for row in &rows {
            let verdict = if row.try_get("unknown")? {
                Err(Denial::Unknown)
            } else if row.try_get("deactivated")? {
                Err(Denial::Deactivated)
            } else if row.try_get("revoked")? {
                Err(Denial::Revoked)
            } else {
                Ok(())
            };
            verdicts[place(row)?] = verdict;
        }
        Ok(verdicts)
    }
}

/// The first of `users` who is not there.
pub(super) async fn first_unknown(
    session: &mut Connection,
    users: &[&str],
) -> Result<Option<UserId>, Failure> {
    let row = session.query_opt(FIRST_UNKNOWN, &[&users]).await?;
    row.map(|row| parse_user(row.try_get(0)?)).transpose()
}

fn profile(row: &Row) -> Result<Profile, Failure> {
    Ok(Profile {
        id: user_id(row, "id")?,
        display_name: row.try_get("display_name")?,
        avatar_url: row.try_get("avatar_url")?,
        deactivated_at: timestamp(row, "deactivated_at")?,
    })
}
