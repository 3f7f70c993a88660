//! Conversations as their members see them: what a login asks for, and thousands of logins at once.

use std::collections::{BTreeSet, HashMap};

use tokio_postgres::Row;
use uuid::Uuid;

use super::PostgresStore;
use super::error::Failure;
use super::values::{conversation_kind, role};
use super::values::{place, timestamp, user_id};
use crate::model::{Conversation, ConversationId, ConversationKind, Member, Notify, Seq, UserId};
use crate::store::PageOf;

/// Up to how many members a conversation rings for everything, when a member said nothing else.
const RINGS_FOR_ALL: i64 = 100;

/// One row for each conversation of each page; a direct one carries the other user.
const PAGES: &str = "
SELECT page.place, own.*, me.display_name AS my_name, me.avatar_url AS my_avatar,
       peer.user_id, peer.role, u.display_name, u.avatar_url,
       greatest(peer.read_seq, own.peer_sent_seq) AS read_seq,
       greatest(peer.read_seq, own.peer_sent_seq, peer.delivered_seq) AS delivered_seq
FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::bigint[])
    WITH ORDINALITY AS page (user_id, after, up_to, most, place)
JOIN users me ON me.id = page.user_id
CROSS JOIN LATERAL (
    SELECT p.conversation_id, p.kind, p.title, p.created_at, p.member_count, p.last_seq, p.first_seq, p.unread, p.notify,
           p.muted_until, p.role AS my_role, p.read_seq AS my_read_seq, p.delivered_seq AS my_delivered_seq,
           p.peer_id, p.peer_sent_seq
    FROM member_positions p
    WHERE p.user_id = page.user_id AND p.conversation_id > page.after AND p.conversation_id <= page.up_to
    ORDER BY p.conversation_id LIMIT page.most
) AS own
LEFT JOIN members peer ON peer.conversation_id = own.conversation_id AND peer.user_id = own.peer_id
LEFT JOIN users u ON u.id = own.peer_id";

/// Up to 100 members of each group. It asks for nothing but the conversation, so that the planner, who first sees empty tables, finds no
/// other index than the primary key; and the fence (`OFFSET 0`) keeps it from reading all users.
const SHOWN: &str = "
SELECT shown.place, member.user_id, member.role, u.display_name, u.avatar_url, member.read_seq, member.delivered_seq
FROM unnest($1::uuid[]) WITH ORDINALITY AS shown (conversation_id, place)
CROSS JOIN LATERAL (
    SELECT m.user_id, m.role, m.read_seq, greatest(m.read_seq, m.delivered_seq) AS delivered_seq
    FROM members m WHERE m.conversation_id = shown.conversation_id ORDER BY m.user_id LIMIT 100
) AS member
CROSS JOIN LATERAL (
    SELECT u.display_name, u.avatar_url FROM users u WHERE u.id = member.user_id OFFSET 0
) AS u";

/// Which conversations of a user: those above `after` up to `up_to`, by rising id.
struct Slice<'a> {
    user: &'a UserId,
    after: Uuid,
    up_to: Uuid,
    most: i64,
}

impl PostgresStore {
    /// Groups without their members.
    pub(super) async fn read_pages(&self, pages: &[PageOf]) -> Result<Vec<Vec<Conversation>>, Failure> {
        let slices: Vec<_> = pages
            .iter()
            .map(|page| Slice {
                user: &page.user_id,
                after: page.after.map_or(Uuid::nil(), |id| id.as_uuid()),
                up_to: Uuid::max(),
                most: i64::try_from(page.limit).unwrap_or(i64::MAX),
            })
            .collect();
        self.read_slices(&slices).await
    }

    /// One conversation is the slice of one id.
    pub(super) async fn read_for(
        &self,
        id: ConversationId,
        users: &[UserId],
    ) -> Result<Vec<Option<Conversation>>, Failure> {
        let before = Uuid::from_u128(id.as_uuid().as_u128().saturating_sub(1));
        let slices: Vec<_> =
            users.iter().map(|user| Slice { user, after: before, up_to: id.as_uuid(), most: 1 }).collect();
        let mut found = self.read_slices(&slices).await?;
        self.show_members(&mut found).await?;
        Ok(found.into_iter().map(|mut page| page.pop()).collect())
    }

    /// Fills in the members of the groups, read once however many pages show them.
    pub(super) async fn show_members(&self, pages: &mut [Vec<Conversation>]) -> Result<(), Failure> {
        let groups = pages.iter().flatten().filter(|one| one.kind != ConversationKind::Direct);
        let ids: Vec<ConversationId> =
            groups.map(|one| one.id).collect::<BTreeSet<_>>().into_iter().collect();
        let members: HashMap<_, _> = ids.iter().zip(self.read_shown(&ids).await?).collect();
        for conversation in pages.iter_mut().flatten() {
            if let Some(members) = members.get(&conversation.id) {
                conversation.members.clone_from(members);
            }
        }
        Ok(())
    }

    pub(super) async fn read_shown(&self, ids: &[ConversationId]) -> Result<Vec<Vec<Member>>, Failure> {
        let mut answer: Vec<Vec<Member>> = ids.iter().map(|_| Vec::new()).collect();
        if ids.is_empty() {
            return Ok(answer);
        }
        let uuids: Vec<Uuid> = ids.iter().map(ConversationId::as_uuid).collect();
        let rows = self.session().await?.query(SHOWN, &[&uuids]).await?;
        for row in &rows {
            if let Some(members) = answer.get_mut(place(row)?) {
                members.push(member(row)?);
            }
        }
        for members in &mut answer {
            members.sort_unstable_by(|one, other| one.user_id.cmp(&other.user_id));
        }
        Ok(answer)
    }

    async fn read_slices(&self, slices: &[Slice<'_>]) -> Result<Vec<Vec<Conversation>>, Failure> {
        let mut answer: Vec<Vec<Conversation>> = slices.iter().map(|_| Vec::new()).collect();
        if slices.is_empty() {
            return Ok(answer);
        }
        let users: Vec<&str> = slices.iter().map(|slice| slice.user.as_str()).collect();
        let after: Vec<Uuid> = slices.iter().map(|slice| slice.after).collect();
        let up_to: Vec<Uuid> = slices.iter().map(|slice| slice.up_to).collect();
        let most: Vec<i64> = slices.iter().map(|slice| slice.most).collect();
        let rows = self.session().await?.query(PAGES, &[&users, &after, &up_to, &most]).await?;
        for row in &rows {
            let place = place(row)?;
            if let (Some(page), Some(slice)) = (answer.get_mut(place), slices.get(place)) {
                page.push(conversation(row, slice.user)?);
            }
        }
        for page in &mut answer {
            page.sort_unstable_by_key(|conversation| conversation.id);
        }
        Ok(answer)
    }
}

/// A group comes without its members.
fn conversation(row: &Row, user: &UserId) -> Result<Conversation, Failure> {
    let kind = conversation_kind(row.try_get("kind")?)?;
    let member_count: i64 = row.try_get("member_count")?;
    let read_seq = Seq::new(row.try_get("my_read_seq")?);
    let my_role = role(row.try_get("my_role")?)?;
    let mut members = Vec::new();
    if kind == ConversationKind::Direct {
        members.push(Member {
            user_id: user.clone(),
            role: my_role,
            display_name: row.try_get("my_name")?,
            avatar_url: row.try_get("my_avatar")?,
            read_seq,
            delivered_seq: Seq::new(row.try_get("my_delivered_seq")?),
        });
        if row.try_get::<_, Option<&str>>("user_id")?.is_some() {
            members.push(member(row)?);
            members.sort_unstable_by(|one, other| one.user_id.cmp(&other.user_id));
        }
    }
    Ok(Conversation {
        id: ConversationId::from_uuid(row.try_get("conversation_id")?),
        kind,
        title: row.try_get("title")?,
        last_seq: Seq::new(row.try_get("last_seq")?),
        first_seq: Seq::new(row.try_get("first_seq")?),
        created_at: timestamp(row, "created_at")?.ok_or(Failure::Unknown("a conversation"))?,
        member_count,
        members,
        role: my_role,
        read_seq,
        unread: row.try_get("unread")?,
        notify: notify(row.try_get("notify")?, member_count)?,
        muted_until: timestamp(row, "muted_until")?,
    })
}

fn member(row: &Row) -> Result<Member, Failure> {
    Ok(Member {
        user_id: user_id(row, "user_id")?,
        role: role(row.try_get("role")?)?,
        display_name: row.try_get("display_name")?,
        avatar_url: row.try_get("avatar_url")?,
        read_seq: Seq::new(row.try_get("read_seq")?),
        delivered_seq: Seq::new(row.try_get("delivered_seq")?),
    })
}

/// What the member chose, else what fits the conversation's size.
pub(super) fn notify(code: Option<i16>, member_count: i64) -> Result<Notify, Failure> {
    match code {
        Some(code) => Notify::from_code(code).ok_or(Failure::Unknown("a notify level")),
        None if member_count > RINGS_FOR_ALL => Ok(Notify::Mentions),
        None => Ok(Notify::All),
    }
}
