//! Edits, deletes and reactions: what they do to the entry they aim at.

use super::super::error::Failure;
use super::super::session::Session;
use super::super::values::user_id;
use super::change::Head;
use super::rows::entry_kind;
use crate::model::{ConversationKind, EntryKind, NewEntry, Refusal, UserId};

const TARGET: &str = "
SELECT kind, sender_id, deleted_at IS NOT NULL AS deleted FROM messages
WHERE conversation_id = $1 AND seq = $2 AND seq >= $3";

const EDIT: &str = "
UPDATE messages SET text = $3, data = $4, edited_at = $5 WHERE conversation_id = $1 AND seq = $2";

const BLANK: &str = "
UPDATE messages
SET text = NULL, data = NULL, extra = nullif((extra::jsonb - 'mentions')::text, '{}'), deleted_at = $3
WHERE conversation_id = $1 AND seq = $2";

const BLANK_EDITS: &str = "
UPDATE messages
SET text = NULL, data = NULL, extra = nullif((extra::jsonb - 'mentions')::text, '{}')
WHERE conversation_id = $1 AND target_seq = $2 AND kind = 1";

const REACT: &str = "
INSERT INTO reactions (conversation_id, target_seq, emoji, user_id, seq) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING";

const TAKE_BACK: &str = "
DELETE FROM reactions WHERE conversation_id = $1 AND target_seq = $2 AND emoji = $3 AND user_id = $4";

pub(super) async fn edit(
    session: &mut Session,
    head: &Head,
    new: &NewEntry,
) -> Result<Result<(), Refusal>, Failure> {
    let aim = match aim(session, head, new).await? {
        Some(aim) if aim.sender_id != new.sender_id => return Ok(Err(Refusal::Forbidden)),
        Some(aim) if !aim.gone => aim,
        _ => return Ok(Err(Refusal::Conflict)),
    };
    session
        .execute(
            EDIT,
            &[
                &head.id,
                &aim.seq,
                &new.body.text,
                &new.body.data.as_ref().map(|data| data.get()),
                &new.received_ms,
            ],
        )
        .await?;
    Ok(Ok(()))
}

pub(super) async fn delete(
    session: &mut Session,
    head: &Head,
    new: &NewEntry,
) -> Result<Result<(), Refusal>, Failure> {
    let others_too = head.kind != ConversationKind::Direct && head.role.manages();
    let aim = match aim(session, head, new).await? {
        Some(aim) if aim.sender_id != new.sender_id && !others_too => {
            return Ok(Err(Refusal::Forbidden));
        }
        Some(aim) if !aim.gone => aim,
        _ => return Ok(Err(Refusal::Conflict)),
    };
    session.execute(BLANK, &[&head.id, &aim.seq, &new.received_ms]).await?;
    session.execute(BLANK_EDITS, &[&head.id, &aim.seq]).await?;
    Ok(Ok(()))
}

pub(super) async fn react(
    session: &mut Session,
    head: &Head,
    new: &NewEntry,
) -> Result<Result<(), Refusal>, Failure> {
    let (Some(aim), Some(emoji)) = (aim(session, head, new).await?, &new.body.emoji) else {
        return Ok(Err(Refusal::Conflict));
    };
    if aim.gone {
        return Ok(Err(Refusal::Conflict));
    }
    let sender = new.sender_id.as_str();
    // There already, or not there any more, is fine: it was accepted, so it appears.
    if new.body.remove {
        session.execute(TAKE_BACK, &[&head.id, &aim.seq, emoji, &sender]).await?;
    } else {
        session.execute(REACT, &[&head.id, &aim.seq, emoji, &sender, &head.seq.get()]).await?;
    }
    Ok(Ok(()))
}

struct Aim {
    seq: i64,
    sender_id: UserId,
    /// No text, or not any more.
    gone: bool,
}

/// The entry's target; `None` when there is none that the sender can see.
async fn aim(session: &mut Session, head: &Head, new: &NewEntry) -> Result<Option<Aim>, Failure> {
    let Some(seq) = new.body.target_seq else {
        return Ok(None);
    };
    let row = session.query_opt(TARGET, &[&head.id, &seq.get(), &head.first_seq.get()]).await?;
    row.map(|row| {
        let deleted: bool = row.try_get("deleted")?;
        Ok(Aim {
            seq: seq.get(),
            sender_id: user_id(&row, "sender_id")?,
            gone: deleted || entry_kind(row.try_get("kind")?)? != EntryKind::Text,
        })
    })
    .transpose()
}
