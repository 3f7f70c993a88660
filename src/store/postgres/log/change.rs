//! Entries other than texts: rare, so each goes on its own, in plain statements.

use uuid::Uuid;

use super::super::error::Failure;
use super::super::session::Session;
use super::super::values::{conversation_kind, role};
use super::read::FIND;
use super::rows::{entry, extra};
use super::{members, messages};
use crate::model::{ConversationKind, EntryKind, MessageId, NewEntry, Refusal, Role, Seq};
use crate::store::{Appended, Audience, Stored};

/// The locked conversation, and its sender's standing: `role` is null for whoever is not a member.
const HEAD: &str = "
SELECT c.kind, c.last_seq, c.text_count, c.members_seq, p.role, coalesce(p.first_seq, 1) AS first_seq,
       u.deactivated_at IS NOT NULL
       OR c.kind = 0 AND (
           (SELECT count(*) FROM users o WHERE o.id IN (c.low_user, c.high_user) AND o.deactivated_at IS NOT NULL) > 0
           OR coalesce((SELECT true FROM blocks b WHERE b.other_id = $2
               AND b.user_id = CASE $2 WHEN c.low_user THEN c.high_user ELSE c.low_user END), false)
       ) AS barred
FROM conversations c
LEFT JOIN member_positions p ON p.conversation_id = c.id AND p.user_id = $2
LEFT JOIN users u ON u.id = $2
WHERE c.id = $1";

const TITLE: &str = "UPDATE conversations SET title = $2 WHERE id = $1";

/// Sending moves the sender's read position: of a direct conversation here, of a group at the member.
const STORE: &str = "
WITH stored AS (
    INSERT INTO messages (conversation_id, seq, id, client_id, created_at, texts, target_seq, kind, sender_id, text, data, extra)
    VALUES ($1, $2, $4, $6, $7, $3, $8, $9, $5, $10, $11, $12)
), read AS (
    UPDATE members SET read_seq = $2, read_texts = $3 WHERE conversation_id = $1 AND user_id = $5 AND kind <> 0
)
UPDATE conversations
SET last_seq = $2, members_seq = $13, oldest_at = coalesce(oldest_at, $7),
    low_sent_seq = CASE low_user WHEN $5 THEN $2 ELSE low_sent_seq END,
    low_sent_texts = CASE low_user WHEN $5 THEN $3 ELSE low_sent_texts END,
    high_sent_seq = CASE high_user WHEN $5 THEN $2 ELSE high_sent_seq END,
    high_sent_texts = CASE high_user WHEN $5 THEN $3 ELSE high_sent_texts END
WHERE id = $1";

/// Where a conversation's log stands, and who appends to it.
pub(super) struct Head {
    pub(super) id: Uuid,
    pub(super) kind: ConversationKind,
    /// The seq that the entry gets.
    pub(super) seq: Seq,
    /// The texts so far.
    pub(super) texts: i64,
    members_seq: Seq,
    /// The sender's.
    pub(super) role: Role,
    /// Where history begins for the sender.
    pub(super) first_seq: Seq,
}

/// Appends one entry; the caller holds the lock of its conversation.
pub(super) async fn append(session: &mut Session, new: &NewEntry) -> Result<Appended, Failure> {
    let id = new.conversation_id.as_uuid();
    let sender = new.sender_id.as_str();
    let Some(row) = session.query_opt(HEAD, &[&id, &sender]).await? else {
        return Ok(Appended::Refused(Refusal::NotFound));
    };
    let kind = conversation_kind(row.try_get("kind")?)?;
    let members_seq = Seq::new(row.try_get("members_seq")?);
    if let Some(row) = session.query_opt(FIND, &[&id, &sender, &new.client_id.as_uuid()]).await? {
        let original = entry(new.conversation_id, &row)?;
        return Ok(Appended::Stored(Stored {
            seq: original.seq,
            id: original.id,
            kind,
            members_seq,
            audience: members::audience_of(session, &original).await?,
            original: Some(Box::new(original)),
        }));
    }
    let Some(code) = row.try_get::<_, Option<i16>>("role")? else {
        return Ok(Appended::Refused(Refusal::NotFound));
    };
    let head = Head {
        id,
        kind,
        seq: Seq::new(row.try_get("last_seq")?).next(),
        texts: row.try_get("text_count")?,
        members_seq,
        role: role(code)?,
        first_seq: Seq::new(row.try_get("first_seq")?),
    };
    if row.try_get("barred")? || !may(&head, new.kind) {
        return Ok(Appended::Refused(Refusal::Forbidden));
    }
    match apply(session, &head, new).await? {
        Ok(audience) => store(session, &head, new, audience).await,
        Err(refusal) => Ok(Appended::Refused(refusal)),
    }
}

/// Whether such an entry is the sender's to write; what it aims at is judged by its effect.
const fn may(head: &Head, kind: EntryKind) -> bool {
    match kind {
        EntryKind::Text | EntryKind::Edit => {
            !matches!(head.kind, ConversationKind::Channel) || head.role.manages()
        }
        // Anyone reacts, and deletes their own.
        EntryKind::Delete | EntryKind::Reaction => true,
        EntryKind::MemberLeft => !matches!(head.kind, ConversationKind::Direct),
        EntryKind::MemberJoined | EntryKind::TitleChanged | EntryKind::RoleChanged => {
            !matches!(head.kind, ConversationKind::Direct) && head.role.manages()
        }
    }
}

/// Takes the effect of the entry, or says why it has none; then nothing was changed.
async fn apply(
    session: &mut Session,
    head: &Head,
    new: &NewEntry,
) -> Result<Result<Audience, Refusal>, Failure> {
    let nobody = |()| Audience::default();
    Ok(match new.kind {
        EntryKind::Text => Ok(Audience::default()),
        EntryKind::Edit => messages::edit(session, head, new).await?.map(nobody),
        EntryKind::Delete => messages::delete(session, head, new).await?.map(nobody),
        EntryKind::Reaction => messages::react(session, head, new).await?.map(nobody),
        EntryKind::MemberJoined => members::join(session, head, new).await?,
        EntryKind::MemberLeft => members::leave(session, head, new).await?,
        EntryKind::RoleChanged => members::change_role(session, head, new).await?.map(nobody),
        EntryKind::TitleChanged => match &new.body.text {
            Some(title) => {
                session.execute(TITLE, &[&head.id, title]).await?;
                Ok(Audience::default())
            }
            None => Err(Refusal::Conflict),
        },
    })
}

async fn store(
    session: &mut Session,
    head: &Head,
    new: &NewEntry,
    audience: Audience,
) -> Result<Appended, Failure> {
    let id = MessageId::new();
    let members_seq = match new.kind {
        EntryKind::MemberJoined | EntryKind::MemberLeft | EntryKind::RoleChanged => head.seq,
        _ => head.members_seq,
    };
    let body = &new.body;
    session
        .execute(
            STORE,
            &[
                &head.id,
                &head.seq.get(),
                &head.texts,
                &id.as_uuid(),
                &new.sender_id.as_str(),
                &new.client_id.as_uuid(),
                &new.received_ms,
                &body.target_seq.map(Seq::get),
                &new.kind.code(),
                &body.text,
                &body.data.as_ref().map(|data| data.get()),
                &extra(body),
                &members_seq.get(),
            ],
        )
        .await?;
    Ok(Appended::Stored(Stored { seq: head.seq, id, kind: head.kind, members_seq, audience, original: None }))
}
