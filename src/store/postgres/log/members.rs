//! Joining, leaving, and changing roles.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::super::error::Failure;
use super::super::session::Session;
use super::super::users::first_unknown;
use super::super::values::{role, user_id};
use super::change::Head;
use super::create::MAKE_USERS;
use crate::model::{Entry, EntryKind, NewEntry, Refusal, Role, Seq, UserId};
use crate::store::Audience;

const ROLES: &str = "
SELECT user_id, role, history_from_seq FROM members WHERE conversation_id = $1 AND user_id = ANY ($2::text[])";

const JOIN: &str = "
WITH joined AS (
    INSERT INTO members (conversation_id, user_id, kind, role, history_from_seq, read_seq, read_texts, delivered_seq)
    SELECT $1::uuid, j.user_id, $3::smallint, $4::smallint, $5::bigint, $5::bigint, $6::bigint, $5::bigint
    FROM unnest($2::text[]) AS j (user_id)
    RETURNING 1
)
UPDATE conversations SET member_count = member_count + (SELECT count(*) FROM joined) WHERE id = $1";

const LEAVE: &str = "
WITH gone AS (
    DELETE FROM members WHERE conversation_id = $1 AND user_id = ANY ($2::text[]) RETURNING user_id
), remembered AS (
    INSERT INTO former_members (user_id, conversation_id) SELECT user_id, $1 FROM gone ON CONFLICT DO NOTHING
)
UPDATE conversations SET member_count = member_count - (SELECT count(*) FROM gone) WHERE id = $1";

/// Admins before members, then who has been there longest.
const SUCCEED: &str = "
UPDATE members SET role = 0
WHERE conversation_id = $1 AND user_id = (
    SELECT user_id FROM members WHERE conversation_id = $1 ORDER BY role, history_from_seq, user_id LIMIT 1
)";

const DETHRONE: &str = "UPDATE members SET role = 1 WHERE conversation_id = $1 AND role = 0";

const SET_ROLES: &str = "
UPDATE members SET role = $3 WHERE conversation_id = $1 AND user_id = ANY ($2::text[])";

pub(super) async fn join(
    session: &mut Session,
    head: &Head,
    new: &NewEntry,
) -> Result<Result<Audience, Refusal>, Failure> {
    let given = new.body.role.unwrap_or(Role::Member);
    if given == Role::Owner {
        // A conversation has one owner, who hands it on by a change of roles.
        return Ok(Err(Refusal::Forbidden));
    }
    let present = standing(session, head.id, &new.body.user_ids).await?;
    let mut seen = HashSet::new();
    let joined: Vec<UserId> = new
        .body
        .user_ids
        .iter()
        .filter(|user| !present.contains_key(*user) && seen.insert(*user))
        .cloned()
        .collect();
    if joined.is_empty() {
        return Ok(Err(Refusal::Conflict));
    }
    let sorted: BTreeSet<&str> = joined.iter().map(UserId::as_str).collect();
    let names: Vec<&str> = sorted.into_iter().collect();
    if new.provision {
        session.execute(MAKE_USERS, &[&names, &new.received_ms]).await?;
    } else if first_unknown(session, &names).await?.is_some() {
        return Ok(Err(Refusal::NotFound));
    }
    session
        .execute(JOIN, &[&head.id, &names, &head.kind.code(), &given.code(), &head.seq.get(), &head.texts])
        .await?;
    Ok(Ok(Audience { joined, left: Vec::new() }))
}

pub(super) async fn leave(
    session: &mut Session,
    head: &Head,
    new: &NewEntry,
) -> Result<Result<Audience, Refusal>, Failure> {
    let others = new.body.user_ids.iter().any(|user| *user != new.sender_id);
    if others && !head.role.manages() {
        return Ok(Err(Refusal::Forbidden));
    }
    let present = standing(session, head.id, &new.body.user_ids).await?;
    let mut owner_left = false;
    let mut left = Vec::with_capacity(present.len());
    let mut seen = HashSet::new();
    for user in &new.body.user_ids {
        match present.get(user) {
            Some(at) if at.role == Role::Owner && *user != new.sender_id => {
                return Ok(Err(Refusal::Forbidden));
            }
            Some(at) if seen.insert(user) => {
                owner_left |= at.role == Role::Owner;
                left.push(user.clone());
            }
            _ => {}
        }
    }
    if left.is_empty() {
        return Ok(Err(Refusal::Conflict));
    }
    let names: Vec<&str> = left.iter().map(UserId::as_str).collect();
    session.execute(LEAVE, &[&head.id, &names]).await?;
    if owner_left {
        session.execute(SUCCEED, &[&head.id]).await?;
    }
    Ok(Ok(Audience { joined: Vec::new(), left }))
}

pub(super) async fn change_role(
    session: &mut Session,
    head: &Head,
    new: &NewEntry,
) -> Result<Result<(), Refusal>, Failure> {
    let Some(wished) = new.body.role else {
        return Ok(Err(Refusal::Conflict));
    };
    if wished == Role::Owner && head.role != Role::Owner {
        return Ok(Err(Refusal::Forbidden));
    }
    if wished == Role::Owner && new.body.user_ids.len() != 1 {
        return Ok(Err(Refusal::Conflict));
    }
    let present = standing(session, head.id, &new.body.user_ids).await?;
    let mut changing = Vec::with_capacity(present.len());
    for user in &new.body.user_ids {
        match present.get(user).map(|at| at.role) {
            None => return Ok(Err(Refusal::Conflict)),
            Some(had) if had == wished => {}
            Some(Role::Owner) if head.role != Role::Owner => return Ok(Err(Refusal::Forbidden)),
            // Somebody has to be the owner.
            Some(Role::Owner) => return Ok(Err(Refusal::Conflict)),
            Some(_) => changing.push(user.as_str()),
        }
    }
    if changing.is_empty() {
        return Ok(Err(Refusal::Conflict));
    }
    if wished == Role::Owner {
        session.execute(DETHRONE, &[&head.id]).await?;
    }
    session.execute(SET_ROLES, &[&head.id, &changing, &wished.code()]).await?;
    Ok(Ok(()))
}

/// Whom an entry that was stored before is for, as far as it still holds: who is a member by it, who left and is not back.
pub(super) async fn audience_of(session: &mut Session, original: &Entry) -> Result<Audience, Failure> {
    let mut audience = Audience::default();
    if !matches!(original.kind, EntryKind::MemberJoined | EntryKind::MemberLeft) {
        return Ok(audience);
    }
    let users = &original.body.user_ids;
    let present = standing(session, original.conversation_id.as_uuid(), users).await?;
    for user in users {
        match present.get(user) {
            Some(at) if original.kind == EntryKind::MemberJoined && at.since == original.seq => {
                audience.joined.push(user.clone());
            }
            None if original.kind == EntryKind::MemberLeft => audience.left.push(user.clone()),
            _ => {}
        }
    }
    Ok(audience)
}

struct Standing {
    role: Role,
    /// The seq by which they joined.
    since: Seq,
}

/// Those of `users` who are members.
async fn standing(
    session: &mut Session,
    conversation: uuid::Uuid,
    users: &[UserId],
) -> Result<HashMap<UserId, Standing>, Failure> {
    let names: Vec<&str> = users.iter().map(UserId::as_str).collect();
    let rows = session.query(ROLES, &[&conversation, &names]).await?;
    rows.iter()
        .map(|row| {
            let standing = Standing {
                role: role(row.try_get("role")?)?,
                since: Seq::new(row.try_get("history_from_seq")?),
            };
            Ok((user_id(row, "user_id")?, standing))
        })
        .collect()
}
