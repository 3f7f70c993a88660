//! Texts that are judged one by one: for batches in which some are there already or may not be stored, and for those that
//! go together with other entries.

use deadpool_postgres::Object;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};
use uuid::Uuid;

use super::super::error::Failure;
use super::super::session::Session;
use super::super::values::conversation_kind;
use super::super::values::place;
use super::create::{Making, Wanted};
use super::rows::entry;
use super::texts::Texts;
use crate::model::{MessageId, NewEntry, Refusal, Seq};
use crate::store::{Appended, Audience, Stored};

/// Locks the conversations of a batch, in the order in which everybody locks them.
pub(super) const LOCK: &str = "
SELECT count(*) FROM (
    SELECT 1 FROM conversations WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
) AS locked";

/// Judges and stores texts, and says of each what became of it: verdict 0 stored, 1 not found, 2 forbidden, 3 there already.
///
/// It runs after [`LOCK`] with a snapshot of its own, so `last_seq` and the log are what the last holder of the lock left.
/// The parts are joined by nothing but look-ups in an index: the window functions number, and nothing is matched back.
const APPEND: &str = "
WITH input AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[])
        WITH ORDINALITY AS i (conversation_id, sender_id, client_id, new_id, new_text, new_data, new_extra, received_at, peer_id, place)
), judged AS MATERIALIZED (
    SELECT i.*, c.kind AS conversation_kind, c.members_seq, c.last_seq, c.text_count, i.sender_id = c.low_user AS by_low,
           there.*,
           CASE
               WHEN there.seq IS NOT NULL THEN 3
               WHEN c.id IS NULL THEN
                   CASE (SELECT count(*) FROM users u WHERE u.id IN (i.sender_id, i.peer_id)) WHEN 2 THEN 2 ELSE 1 END
               WHEN c.kind = 0 THEN CASE
                   WHEN i.sender_id NOT IN (c.low_user, c.high_user) THEN 1
                   WHEN (SELECT true FROM users u
                         WHERE u.id IN (c.low_user, c.high_user) AND u.deactivated_at IS NOT NULL LIMIT 1)
                     OR (SELECT true FROM blocks b WHERE b.other_id = i.sender_id
                         AND b.user_id = CASE i.sender_id WHEN c.low_user THEN c.high_user ELSE c.low_user END) THEN 2
                   ELSE 0 END
               ELSE coalesce((
                   SELECT CASE WHEN u.deactivated_at IS NOT NULL OR c.kind = 2 AND m.role = 2 THEN 2 ELSE 0 END
                   FROM members m JOIN users u ON u.id = m.user_id
                   WHERE m.conversation_id = i.conversation_id AND m.user_id = i.sender_id), 1)
           END AS verdict
    FROM input i
    LEFT JOIN conversations c ON c.id = i.conversation_id
    LEFT JOIN LATERAL (
        SELECT m.seq, m.id, m.kind, m.text, m.data, m.extra, m.target_seq, m.created_at, m.edited_at, m.deleted_at
        FROM messages m
        WHERE m.conversation_id = i.conversation_id AND m.sender_id = i.sender_id AND m.client_id = i.client_id
        LIMIT 1
    ) AS there ON true
), numbered AS MATERIALIZED (
    SELECT j.*, count(*) FILTER (WHERE j.verdict = 0) OVER (PARTITION BY j.conversation_id ORDER BY j.place ROWS UNBOUNDED PRECEDING) AS n
    FROM judged j
), inserted AS (
    INSERT INTO messages (conversation_id, seq, id, client_id, created_at, texts, kind, sender_id, text, data, extra)
    SELECT conversation_id, last_seq + n, new_id, client_id, received_at, text_count + n, 0, sender_id, new_text, new_data, new_extra
    FROM numbered WHERE verdict = 0
), moved AS (
    UPDATE conversations c
    SET last_seq = c.last_seq + t.n, text_count = c.text_count + t.n, oldest_at = coalesce(c.oldest_at, t.received_at),
        low_sent_seq = coalesce(c.last_seq + t.by_low, c.low_sent_seq),
        low_sent_texts = coalesce(c.text_count + t.by_low, c.low_sent_texts),
        high_sent_seq = coalesce(c.last_seq + t.by_high, c.high_sent_seq),
        high_sent_texts = coalesce(c.text_count + t.by_high, c.high_sent_texts)
    FROM (
        SELECT conversation_id, max(n) AS n, min(received_at) AS received_at,
               max(n) FILTER (WHERE by_low) AS by_low, max(n) FILTER (WHERE NOT by_low) AS by_high
        FROM numbered WHERE verdict = 0 GROUP BY conversation_id
    ) AS t
    WHERE c.id = t.conversation_id
), read AS (
    UPDATE members m
    SET read_seq = t.last_seq + t.n, read_texts = t.text_count + t.n
    FROM (
        SELECT conversation_id, sender_id, max(n) AS n, max(last_seq) AS last_seq, max(text_count) AS text_count
        FROM numbered WHERE verdict = 0 AND conversation_kind <> 0
        GROUP BY conversation_id, sender_id ORDER BY conversation_id, sender_id
    ) AS t
    WHERE m.conversation_id = t.conversation_id AND m.user_id = t.sender_id
)
SELECT place, verdict, conversation_kind, members_seq, last_seq + n AS new_seq,
       seq, id, kind, sender_id, client_id, text, data, extra, target_seq, created_at, edited_at, deleted_at
FROM numbered";

/// Appends in a transaction that is open and holds the locks.
pub(super) async fn append(session: &mut Session, texts: &Texts<'_>) -> Result<Vec<Appended>, Failure> {
    let rows = session.query(APPEND, &parameters(texts)).await?;
    texts.spread(&outcomes(texts, &rows)?)
}

/// The whole transaction in one round trip: nothing in it waits for an answer.
pub(super) async fn append_alone(
    session: &mut Session,
    texts: &Texts<'_>,
    wanted: Option<&Wanted<'_>>,
    locks: &[Uuid],
) -> Result<Vec<Appended>, Failure> {
    let making = Wanted::prepare(wanted, session).await?;
    let lock = session.prepare(LOCK).await?;
    let append = session.prepare(APPEND).await?;
    let exchange = exchange(session.client()?, texts, making, &lock, &append, locks);
    let result = Session::bounded(session.deadline(), exchange).await;
    let rows = session.checked(result)?;
    texts.spread(&outcomes(texts, &rows)?)
}

async fn exchange(
    client: &Object,
    texts: &Texts<'_>,
    making: Option<Making<'_>>,
    lock: &Statement,
    append: &Statement,
    locks: &[Uuid],
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let lock_parameters: [&(dyn ToSql + Sync); 1] = [&locks];
    let parameters = parameters(texts);
    // Each is sent when it is first polled, so in this order. After an error the server refuses the rest, and the
    // COMMIT rolls back without being an error itself: the first error is the one that counts.
    let (begun, made, locked, rows, committed) = tokio::join!(
        biased;
        client.batch_execute("BEGIN"),
        Making::send(making.as_ref(), client),
        client.query(lock, &lock_parameters),
        client.query(append, &parameters),
        client.batch_execute("COMMIT"),
    );
    begun?;
    made?;
    locked?;
    let rows = rows?;
    committed?;
    Ok(rows)
}

fn parameters<'a>(texts: &'a Texts<'_>) -> [&'a (dyn ToSql + Sync); 9] {
    [
        &texts.conversations,
        &texts.senders,
        &texts.client_ids,
        &texts.uuids,
        &texts.texts,
        &texts.data,
        &texts.extras,
        &texts.received,
        &texts.openers,
    ]
}

fn outcomes(texts: &Texts<'_>, rows: &[Row]) -> Result<Vec<Appended>, Failure> {
    let mut outcomes: Vec<Option<Appended>> = vec![None; texts.entries.len()];
    for row in rows {
        let place = place(row)?;
        if let (Some(outcome), Some(new)) = (outcomes.get_mut(place), texts.entries.get(place)) {
            *outcome = Some(outcome_of(row, new, texts.ids[place])?);
        }
    }
    let outcomes: Option<Vec<Appended>> = outcomes.into_iter().collect();
    outcomes.ok_or(Failure::Unknown("an outcome"))
}

fn outcome_of(row: &Row, new: &NewEntry, id: MessageId) -> Result<Appended, Failure> {
    let verdict: i32 = row.try_get("verdict")?;
    match verdict {
        1 => return Ok(Appended::Refused(Refusal::NotFound)),
        2 => return Ok(Appended::Refused(Refusal::Forbidden)),
        _ => {}
    }
    let original = match verdict {
        0 => None,
        _ => Some(Box::new(entry(new.conversation_id, row)?)),
    };
    Ok(Appended::Stored(Stored {
        seq: match &original {
            Some(original) => original.seq,
            None => Seq::new(row.try_get("new_seq")?),
        },
        id: original.as_ref().map_or(id, |original| original.id),
        kind: conversation_kind(row.try_get("conversation_kind")?)?,
        members_seq: Seq::new(row.try_get("members_seq")?),
        audience: Audience::default(),
        original,
    }))
}
