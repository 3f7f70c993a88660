//! Making groups and channels.

use std::collections::BTreeSet;

use super::PostgresStore;
use super::error::Failure;
use super::log::MAKE_USERS;
use super::session::Session;
use super::users::first_unknown;
use crate::model::{ConversationId, Role, UserId};
use crate::store::{Created, NewGroup};

const FIND_REQUEST: &str =
    "SELECT conversation_id FROM group_requests WHERE creator_id = $1 AND client_id = $2";

/// Waits for another transaction with the same request; changes nothing when that one has made the group.
const CLAIM_REQUEST: &str = "
INSERT INTO group_requests (creator_id, client_id, conversation_id) VALUES ($1, $2, $3)
ON CONFLICT (creator_id, client_id) DO NOTHING";

/// The same id again, without a request, is the same call again.
const MAKE_GROUP: &str = "
INSERT INTO conversations (id, kind, title, created_by, created_at, member_count) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO NOTHING";

const MAKE_MEMBERS: &str = "
INSERT INTO members (conversation_id, user_id, kind, role)
SELECT $1::uuid, m.user_id, $2::smallint, CASE m.user_id WHEN $3::text THEN $4::smallint ELSE $5::smallint END
FROM unnest($6::text[]) AS m (user_id)";

impl PostgresStore {
    pub(super) async fn try_create_group(&self, group: &NewGroup) -> Result<Created, Failure> {
        let mut session = self.session().await?;
        session.begin().await?;
        let result = create_group(&mut session, group).await;
        session.finish(result).await
    }
}

async fn create_group(session: &mut Session, group: &NewGroup) -> Result<Created, Failure> {
    let creator = group.creator.as_str();
    let id = group.id.as_uuid();
    let members: BTreeSet<&UserId> = group.members.iter().chain([&group.creator]).collect();
    let members: Vec<&str> = members.into_iter().map(UserId::as_str).collect();
    if group.provision {
        let at = group.created_at.as_millis();
        session.execute(MAKE_USERS, &[&members, &at]).await?;
    } else if let Some(unknown) = first_unknown(session, &members).await? {
        return Ok(Created::UnknownUser(unknown));
    }
    if let Some(request) = group.client_id {
        let request = request.as_uuid();
        let claimed = session.execute(CLAIM_REQUEST, &[&creator, &request, &id]).await?;
        if claimed == 0 {
            let row = session.query_opt(FIND_REQUEST, &[&creator, &request]).await?.ok_or(Failure::Raced)?;
            return Ok(Created::Existed(ConversationId::from_uuid(row.try_get(0)?)));
        }
    }
    let count = i64::try_from(members.len()).unwrap_or(i64::MAX);
    let made = session
        .execute(
            MAKE_GROUP,
            &[&id, &group.kind.code(), &group.title, &creator, &group.created_at.as_millis(), &count],
        )
        .await?;
    if made == 0 {
        return Ok(Created::Existed(group.id));
    }
    session
        .execute(
            MAKE_MEMBERS,
            &[&id, &group.kind.code(), &creator, &Role::Owner.code(), &Role::Member.code(), &members],
        )
        .await?;
    Ok(Created::New(group.id))
}
