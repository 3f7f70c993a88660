//! Texts in the hope that all of them are new and may be stored, as nearly always: each conversation is written once, each
//! entry is inserted, and nothing is looked for. When the hope fails, so does the whole transaction, and each entry is judged.

use std::collections::{BTreeMap, HashMap};

use deadpool_postgres::Object;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};
use uuid::Uuid;

use super::super::error::Failure;
use super::super::session::Session;
use super::super::values::conversation_kind;
use super::create::{Making, Wanted};
use super::texts::Texts;
use crate::model::Seq;
use crate::store::{Appended, Audience, Stored};

/// Takes the seqs, which also locks: the ids come sorted, the order in which everybody locks. `by_low` and `by_high` are
/// which of the new entries was the last of either user of a direct conversation.
const TAKE: &str = "
UPDATE conversations c
SET last_seq = c.last_seq + w.entries, text_count = c.text_count + w.entries, oldest_at = coalesce(c.oldest_at, w.received_at),
    low_sent_seq = coalesce(c.last_seq + w.by_low, c.low_sent_seq),
    low_sent_texts = coalesce(c.text_count + w.by_low, c.low_sent_texts),
    high_sent_seq = coalesce(c.last_seq + w.by_high, c.high_sent_seq),
    high_sent_texts = coalesce(c.text_count + w.by_high, c.high_sent_texts)
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS w (id, entries, by_low, by_high, received_at)
WHERE c.id = w.id
RETURNING c.id, c.kind, c.last_seq, c.members_seq";

/// Runs with a snapshot from after the lock. `behind` is how many of the conversation's new entries follow. An entry that may
/// not be stored divides by zero, and one that is there already violates its uniqueness: either ends the transaction, and
/// neither puts a text into the server's log.
const INSERT: &str = "
INSERT INTO messages (conversation_id, seq, id, client_id, created_at, texts, kind, sender_id, text, data, extra)
SELECT i.conversation_id,
       c.last_seq - i.behind / CASE WHEN CASE c.kind
           WHEN 0 THEN
               (i.sender_id = c.low_user AND i.peer_id = c.high_user OR i.sender_id = c.high_user AND i.peer_id = c.low_user)
               AND (SELECT true FROM users u
                    WHERE u.id IN (c.low_user, c.high_user) AND u.deactivated_at IS NOT NULL LIMIT 1) IS NULL
               AND (SELECT true FROM blocks b WHERE b.user_id = i.peer_id AND b.other_id = i.sender_id) IS NULL
           ELSE i.peer_id IS NULL AND (
               SELECT u.deactivated_at IS NULL AND NOT (c.kind = 2 AND m.role = 2)
               FROM members m JOIN users u ON u.id = m.user_id
               WHERE m.conversation_id = i.conversation_id AND m.user_id = i.sender_id)
       END THEN 1 ELSE 0 END,
       i.id, i.client_id, i.created_at, c.text_count - i.behind, 0, i.sender_id, i.text, i.data, i.extra
FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[], $10::bigint[])
    AS i (conversation_id, sender_id, client_id, id, text, data, extra, created_at, peer_id, behind)
LEFT JOIN conversations c ON c.id = i.conversation_id";

/// Sending in a group moves its sender's position. Direct conversations have theirs in [`TAKE`].
const READ: &str = "
UPDATE members m
SET read_seq = c.last_seq - w.behind, read_texts = c.text_count - w.behind
FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS w (conversation_id, user_id, behind)
JOIN conversations c ON c.id = w.conversation_id AND c.kind <> 0
WHERE m.conversation_id = w.conversation_id AND m.user_id = w.user_id";

/// Appends a batch of nothing but texts in one round trip; `None` when some have to be judged, and then nothing was stored.
pub(super) async fn append(
    session: &mut Session,
    texts: &Texts<'_>,
    wanted: Option<&Wanted<'_>>,
) -> Result<Option<Vec<Appended>>, Failure> {
    let plan = Plan::of(texts);
    let making = Wanted::prepare(wanted, session).await?;
    let statements = Statements {
        take: session.prepare(TAKE).await?,
        insert: session.prepare(INSERT).await?,
        read: match plan.readers.is_empty() {
            true => None,
            false => Some(session.prepare(READ).await?),
        },
    };
    let exchange = exchange(session.client()?, texts, &plan, making, &statements);
    let result = Session::bounded(session.deadline(), exchange).await;
    match session.checked(result) {
        Ok(rows) => texts.spread(&outcomes(texts, &plan, &rows)?).map(Some),
        Err(Failure::Database(error)) if is_in_vain(&error) => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn is_in_vain(error: &tokio_postgres::Error) -> bool {
    error
        .code()
        .is_some_and(|code| *code == SqlState::DIVISION_BY_ZERO || *code == SqlState::UNIQUE_VIOLATION)
}

struct Statements {
    take: Statement,
    insert: Statement,
    /// Not needed when all conversations are direct.
    read: Option<Statement>,
}

/// What each conversation and each sender gets when all entries are stored.
#[derive(Default)]
struct Plan<'a> {
    conversations: Vec<Uuid>,
    entries: Vec<i64>,
    by_low: Vec<Option<i64>>,
    by_high: Vec<Option<i64>>,
    received: Vec<i64>,
    /// Of each entry: how many of its conversation follow,
    behind: Vec<i64>,
    /// and its peer.
    peers: Vec<Option<&'a str>>,
    /// The senders in groups, each with what follows their last entry.
    readers: Vec<&'a str>,
    read_in: Vec<Uuid>,
    read_behind: Vec<i64>,
}

#[derive(Default)]
struct Share {
    entries: i64,
    by_low: Option<i64>,
    by_high: Option<i64>,
    received: i64,
}

impl<'a> Plan<'a> {
    fn of(texts: &Texts<'a>) -> Self {
        let mut shares: BTreeMap<Uuid, Share> = BTreeMap::new();
        let mut readers: BTreeMap<(Uuid, &str), i64> = BTreeMap::new();
        let mut plan = Self::default();
        let mut numbers = Vec::with_capacity(texts.entries.len());
        for new in &texts.entries {
            let id = new.conversation_id.as_uuid();
            let share =
                shares.entry(id).or_insert_with(|| Share { received: new.received_ms, ..Share::default() });
            share.entries += 1;
            let number = share.entries;
            match &new.peer {
                Some(peer) if new.sender_id < *peer => share.by_low = Some(number),
                Some(_) => share.by_high = Some(number),
                None => {
                    readers.insert((id, new.sender_id.as_str()), number);
                }
            }
            plan.peers.push(new.peer.as_ref().map(|peer| peer.as_str()));
            numbers.push(number);
        }
        let all = |id: &Uuid| shares.get(id).map_or(0, |share| share.entries);
        for (id, number) in texts.conversations.iter().zip(numbers) {
            plan.behind.push(all(id) - number);
        }
        for ((id, reader), number) in readers {
            plan.read_behind.push(all(&id) - number);
            plan.read_in.push(id);
            plan.readers.push(reader);
        }
        for (id, share) in shares {
            plan.conversations.push(id);
            plan.entries.push(share.entries);
            plan.by_low.push(share.by_low);
            plan.by_high.push(share.by_high);
            plan.received.push(share.received);
        }
        plan
    }
}

async fn exchange(
    client: &Object,
    texts: &Texts<'_>,
    plan: &Plan<'_>,
    making: Option<Making<'_>>,
    statements: &Statements,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let take: [&(dyn ToSql + Sync); 5] =
        [&plan.conversations, &plan.entries, &plan.by_low, &plan.by_high, &plan.received];
    let insert: [&(dyn ToSql + Sync); 10] = [
        &texts.conversations,
        &texts.senders,
        &texts.client_ids,
        &texts.uuids,
        &texts.texts,
        &texts.data,
        &texts.extras,
        &texts.received,
        &plan.peers,
        &plan.behind,
    ];
    let reading = async {
        let Some(statement) = &statements.read else {
            return Ok(0);
        };
        client.execute(statement, &[&plan.read_in, &plan.readers, &plan.read_behind]).await
    };
    // Each is sent when it is first polled, so in this order. After an error the server refuses the rest, and the
    // COMMIT rolls back without being an error itself: the first error is the one that counts.
    let (begun, made, taken, inserted, read, committed) = tokio::join!(
        biased;
        client.batch_execute("BEGIN"),
        Making::send(making.as_ref(), client),
        client.query(&statements.take, &take),
        client.execute(&statements.insert, &insert),
        reading,
        client.batch_execute("COMMIT"),
    );
    begun?;
    made?;
    let rows = taken?;
    inserted?;
    read?;
    committed?;
    Ok(rows)
}

fn outcomes(texts: &Texts<'_>, plan: &Plan<'_>, rows: &[Row]) -> Result<Vec<Appended>, Failure> {
    let mut taken = HashMap::with_capacity(rows.len());
    for row in rows {
        let id: Uuid = row.try_get("id")?;
        let last: i64 = row.try_get("last_seq")?;
        let kind = conversation_kind(row.try_get("kind")?)?;
        let members_seq = Seq::new(row.try_get("members_seq")?);
        taken.insert(id, (last, kind, members_seq));
    }
    let mut outcomes = Vec::with_capacity(texts.entries.len());
    for ((conversation, id), behind) in texts.conversations.iter().zip(&texts.ids).zip(&plan.behind) {
        let (last, kind, members_seq) = *taken.get(conversation).ok_or(Failure::Unknown("an outcome"))?;
        outcomes.push(Appended::Stored(Stored {
            seq: Seq::new(last - behind),
            id: *id,
            kind,
            members_seq,
            audience: Audience::default(),
            original: None,
        }));
    }
    Ok(outcomes)
}
