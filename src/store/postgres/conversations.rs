//! Conversations and their members, as read, and the making of them.

use uuid::Uuid;

use super::PostgresStore;
use super::error::Failure;
use super::log::Wanted;
use super::session::repeat;
use super::users::first_unknown;
use super::values::{conversation_kind, role};
use super::values::{parse_user, place, user_id};
use crate::model::{
    Conversation, ConversationId, ConversationKind, Member, Membership, Seq, Timestamp, UserId, View,
};
use crate::store::{Conversations, Created, NewGroup, PageOf, Preferences, StoreError};

const VIEWS: &str = "
SELECT i.place, c.kind, c.members_seq,
       CASE c.kind WHEN 0 THEN ARRAY[c.low_user, c.high_user]
           ELSE (SELECT array_agg(m.user_id ORDER BY m.user_id) FROM members m WHERE m.conversation_id = c.id) END AS users,
       CASE c.kind WHEN 0 THEN ARRAY[2, 2]::smallint[]
           ELSE (SELECT array_agg(m.role ORDER BY m.user_id) FROM members m WHERE m.conversation_id = c.id) END AS roles,
       CASE c.kind WHEN 0 THEN (SELECT array_agg(b.user_id) FROM blocks b
           WHERE (b.user_id, b.other_id) IN ((c.low_user, c.high_user), (c.high_user, c.low_user))) END AS blockers
FROM unnest($1::uuid[]) WITH ORDINALITY AS i (id, place)
JOIN conversations c ON c.id = i.id";

/// Each user's groups by their index: the fence (`OFFSET 0`) keeps the planner, who first sees empty tables, from reading all groups of
/// everybody for each call.
const GROUPS_OF: &str = "
SELECT i.place, m.conversation_id, m.members_seq
FROM unnest($1::text[]) WITH ORDINALITY AS i (user_id, place)
CROSS JOIN LATERAL (
    SELECT m.conversation_id, (SELECT c.members_seq FROM conversations c WHERE c.id = m.conversation_id) AS members_seq
    FROM members m WHERE m.user_id = i.user_id AND m.kind <> 0 OFFSET 0
) AS m";

const MEMBERS: &str = "
SELECT p.user_id, p.role, u.display_name, u.avatar_url, p.read_seq, p.delivered_seq
FROM member_positions p
JOIN users u ON u.id = p.user_id
WHERE p.conversation_id = $1 AND p.user_id > $2
ORDER BY p.user_id LIMIT $3";

const SET_PREFERENCES: &str = "
UPDATE members
SET notify = coalesce($3, notify), muted_until = CASE WHEN $4::boolean THEN $5::bigint ELSE muted_until END
WHERE conversation_id = $1 AND user_id = $2";

#[async_trait::async_trait]
impl Conversations for PostgresStore {
    async fn create_group(&self, group: &NewGroup) -> Result<Created, StoreError> {
        if group.kind == ConversationKind::Direct {
            return Err(StoreError::Refused {
                message: "a direct conversation is not made as a group".into(),
                source: None,
            });
        }
        repeat(|| self.try_create_group(group)).await
    }

    async fn create_direct(
        &self,
        user: &UserId,
        peer: &UserId,
        provision: bool,
        created_at: Timestamp,
    ) -> Result<Created, StoreError> {
        if user == peer {
            return Err(StoreError::Refused {
                message: "a direct conversation has two users".into(),
                source: None,
            });
        }
        repeat(|| self.try_create_direct(user, peer, provision, created_at)).await
    }

    async fn views(&self, ids: &[ConversationId]) -> Result<Vec<Option<View>>, StoreError> {
        Ok(self.read_views(ids).await?)
    }

    async fn groups_of(&self, users: &[UserId]) -> Result<Vec<Vec<Membership>>, StoreError> {
        Ok(self.read_groups(users).await?)
    }

    async fn conversations_of(&self, pages: &[PageOf]) -> Result<Vec<Vec<Conversation>>, StoreError> {
        let mut found = self.read_pages(pages).await?;
        self.show_members(&mut found).await?;
        Ok(found)
    }

    async fn pages_of(&self, pages: &[PageOf]) -> Result<Vec<Vec<Conversation>>, StoreError> {
        Ok(self.read_pages(pages).await?)
    }

    async fn shown_members(&self, ids: &[ConversationId]) -> Result<Vec<Vec<Member>>, StoreError> {
        Ok(self.read_shown(ids).await?)
    }

    async fn conversation_for(
        &self,
        id: ConversationId,
        users: &[UserId],
    ) -> Result<Vec<Option<Conversation>>, StoreError> {
        Ok(self.read_for(id, users).await?)
    }

    async fn members(
        &self,
        id: ConversationId,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<Member>, StoreError> {
        let after = after.map_or("", UserId::as_str);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.session().await?.query(MEMBERS, &[&id.as_uuid(), &after, &limit]).await?;
        let mut members = Vec::with_capacity(rows.len());
        for row in &rows {
            members.push(Member {
                user_id: user_id(row, "user_id")?,
                role: role(row.try_get("role").map_err(Failure::from)?)?,
                display_name: row.try_get("display_name").map_err(Failure::from)?,
                avatar_url: row.try_get("avatar_url").map_err(Failure::from)?,
                read_seq: Seq::new(row.try_get("read_seq").map_err(Failure::from)?),
                delivered_seq: Seq::new(row.try_get("delivered_seq").map_err(Failure::from)?),
            });
        }
        Ok(members)
    }

    async fn set_preferences(
        &self,
        id: ConversationId,
        user: &UserId,
        preferences: &Preferences,
    ) -> Result<bool, StoreError> {
        let changed = self
            .session()
            .await?
            .execute(
                SET_PREFERENCES,
                &[
                    &id.as_uuid(),
                    &user.as_str(),
                    &preferences.notify.map(|notify| notify.code()),
                    &preferences.muted_until.is_some(),
                    &preferences.muted_until.flatten().map(Timestamp::as_millis),
                ],
            )
            .await?;
        Ok(changed == 1)
    }
}

impl PostgresStore {
    async fn try_create_direct(
        &self,
        user: &UserId,
        peer: &UserId,
        provision: bool,
        created_at: Timestamp,
    ) -> Result<Created, Failure> {
        let id = ConversationId::direct(user, peer);
        let wanted = Wanted::direct(user, peer, provision, created_at);
        let mut session = self.session().await?;
        session.begin().await?;
        let result = async {
            let made = wanted.make(&mut session).await?;
            let unknown = match made {
                0 => {
                    let users = [user.as_str(), peer.as_str()];
                    first_unknown(&mut session, &users).await?
                }
                _ => None,
            };
            Ok(match unknown {
                Some(user) => Created::UnknownUser(user),
                None if made == 0 => Created::Existed(id),
                None => Created::New(id),
            })
        }
        .await;
        session.finish(result).await
    }

    async fn read_views(&self, ids: &[ConversationId]) -> Result<Vec<Option<View>>, Failure> {
        let uuids: Vec<Uuid> = ids.iter().map(ConversationId::as_uuid).collect();
        let rows = self.session().await?.query(VIEWS, &[&uuids]).await?;
        let mut views = vec![None; ids.len()];
        for row in &rows {
            let users: Vec<&str> = row.try_get::<_, Option<_>>("users")?.unwrap_or_default();
            let roles: Vec<i16> = row.try_get::<_, Option<_>>("roles")?.unwrap_or_default();
            let mut members = Vec::with_capacity(users.len());
            for (user, code) in users.into_iter().zip(roles) {
                members.push((parse_user(user)?, role(code)?));
            }
            let blockers: Vec<&str> = row.try_get::<_, Option<_>>("blockers")?.unwrap_or_default();
            let place = place(row)?;
            if let (Some(view), Some(id)) = (views.get_mut(place), ids.get(place)) {
                *view = Some(View {
                    id: *id,
                    kind: conversation_kind(row.try_get("kind")?)?,
                    members_seq: Seq::new(row.try_get("members_seq")?),
                    members,
                    blockers: blockers.into_iter().map(parse_user).collect::<Result<_, _>>()?,
                });
            }
        }
        Ok(views)
    }

    async fn read_groups(&self, users: &[UserId]) -> Result<Vec<Vec<Membership>>, Failure> {
        let names: Vec<&str> = users.iter().map(UserId::as_str).collect();
        let rows = self.session().await?.query(GROUPS_OF, &[&names]).await?;
        let mut groups: Vec<Vec<Membership>> = users.iter().map(|_| Vec::new()).collect();
        for row in &rows {
            if let Some(list) = groups.get_mut(place(row)?) {
                list.push(Membership {
                    conversation_id: ConversationId::from_uuid(row.try_get("conversation_id")?),
                    members_seq: Seq::new(row.try_get("members_seq")?),
                });
            }
        }
        for list in &mut groups {
            list.sort_unstable_by_key(|group| group.conversation_id);
        }
        Ok(groups)
    }
}
