//! Texts: the hot path. A batch of nothing else is one transaction in one round trip.

use std::collections::HashMap;

use deadpool_postgres::Object;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};
use uuid::Uuid;

use super::super::error::Failure;
use super::super::session::Session;
use super::super::users::place;
use super::create::{MAKE_DIRECT, MAKE_USERS, Wanted, opened_with};
use super::rows::{conversation_kind, entry, extra};
use crate::model::{
    Body, ClientId, ConversationId, Entry, EntryKind, MessageId, NewEntry, Refusal, Seq, UserId,
};
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
                   WHEN (SELECT u.deactivated_at IS NOT NULL FROM users u WHERE u.id = c.low_user)
                     OR (SELECT u.deactivated_at IS NOT NULL FROM users u WHERE u.id = c.high_user)
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

/// A run of texts as columns for [`APPEND`]; what repeats an earlier one of the run is left out.
pub(super) struct Texts<'a> {
    /// The entries that go to the database, in their order,
    entries: Vec<&'a NewEntry>,
    /// and for each entry of the run which of them it is.
    places: Vec<usize>,
    ids: Vec<MessageId>,
    conversations: Vec<Uuid>,
    senders: Vec<&'a str>,
    client_ids: Vec<Uuid>,
    uuids: Vec<Uuid>,
    texts: Vec<Option<&'a str>>,
    data: Vec<Option<&'a str>>,
    extras: Vec<Option<String>>,
    received: Vec<i64>,
    peers: Vec<Option<&'a str>>,
}

impl<'a> Texts<'a> {
    pub(super) fn of(run: &'a [NewEntry]) -> Self {
        let mut seen: HashMap<(ConversationId, &UserId, ClientId), usize> =
            HashMap::with_capacity(run.len());
        let mut entries = Vec::with_capacity(run.len());
        let mut places = Vec::with_capacity(run.len());
        for entry in run {
            let key = (entry.conversation_id, &entry.sender_id, entry.client_id);
            let place = *seen.entry(key).or_insert_with(|| {
                entries.push(entry);
                entries.len() - 1
            });
            places.push(place);
        }
        let ids: Vec<MessageId> = entries.iter().map(|_| MessageId::new()).collect();
        Self {
            places,
            conversations: column(&entries, |entry| entry.conversation_id.as_uuid()),
            senders: column(&entries, |entry| entry.sender_id.as_str()),
            client_ids: column(&entries, |entry| entry.client_id.as_uuid()),
            uuids: ids.iter().map(MessageId::as_uuid).collect(),
            ids,
            texts: column(&entries, |entry| entry.body.text.as_deref()),
            data: column(&entries, |entry| {
                entry.body.data.as_deref().map(|data| data.get())
            }),
            extras: column(&entries, |entry| extra(&entry.body)),
            received: column(&entries, |entry| entry.received_ms),
            peers: column(&entries, |entry| opened_with(entry).map(UserId::as_str)),
            entries,
        }
    }

    fn parameters(&self) -> [&(dyn ToSql + Sync); 9] {
        [
            &self.conversations,
            &self.senders,
            &self.client_ids,
            &self.uuids,
            &self.texts,
            &self.data,
            &self.extras,
            &self.received,
            &self.peers,
        ]
    }

    /// Appends in a transaction that is open and holds the locks.
    pub(super) async fn append(&self, session: &mut Session) -> Result<Vec<Appended>, Failure> {
        let rows = session.query(APPEND, &self.parameters()).await?;
        self.outcomes(&rows)
    }

    /// The whole transaction in one round trip: nothing in it waits for an answer.
    pub(super) async fn append_alone(
        &self,
        session: &mut Session,
        wanted: Option<&Wanted<'_>>,
        locks: &[Uuid],
    ) -> Result<Vec<Appended>, Failure> {
        let make = match wanted {
            Some(wanted) => Some((
                wanted,
                session.prepare(MAKE_USERS).await?,
                session.prepare(MAKE_DIRECT).await?,
            )),
            None => None,
        };
        let lock = session.prepare(LOCK).await?;
        let append = session.prepare(APPEND).await?;
        let exchange = self.exchange(session.client()?, make.as_ref(), &lock, &append, locks);
        let result = Session::bounded(session.deadline(), exchange).await;
        let rows = session.checked(result)?;
        self.outcomes(&rows)
    }

    async fn exchange(
        &self,
        client: &Object,
        make: Option<&(&Wanted<'_>, Statement, Statement)>,
        lock: &Statement,
        append: &Statement,
        locks: &[Uuid],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let making = async {
            let Some((wanted, users, direct)) = make else {
                return Ok(());
            };
            let (user_parameters, direct_parameters) =
                (wanted.user_parameters(), wanted.direct_parameters());
            let (users, direct) = tokio::join!(
                biased;
                client.execute(users, &user_parameters),
                client.execute(direct, &direct_parameters),
            );
            users.and(direct).map(|_| ())
        };
        let lock_parameters: [&(dyn ToSql + Sync); 1] = [&locks];
        let parameters = self.parameters();
        // Each is sent when it is first polled, so in this order. After an error the server refuses the rest, and the
        // COMMIT rolls back without being an error itself: the first error is the one that counts.
        let (begun, made, locked, rows, committed) = tokio::join!(
            biased;
            client.batch_execute("BEGIN"),
            making,
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

    fn outcomes(&self, rows: &[Row]) -> Result<Vec<Appended>, Failure> {
        let mut outcomes: Vec<Option<Appended>> = vec![None; self.entries.len()];
        for row in rows {
            let place = place(row)?;
            if let (Some(outcome), Some(new)) = (outcomes.get_mut(place), self.entries.get(place)) {
                *outcome = Some(outcome_of(row, new, self.ids[place])?);
            }
        }
        let mut taken = vec![false; self.entries.len()];
        self.places
            .iter()
            .map(|&place| {
                let outcome = outcomes[place]
                    .clone()
                    .ok_or(Failure::Unknown("an outcome"))?;
                let repeats = std::mem::replace(&mut taken[place], true);
                Ok(if repeats {
                    self.repeated(place, outcome)
                } else {
                    outcome
                })
            })
            .collect()
    }

    /// The outcome of an entry that was in the same run before, with that `outcome`.
    fn repeated(&self, place: usize, outcome: Appended) -> Appended {
        match outcome {
            Appended::Stored(stored) if stored.original.is_none() => {
                let original = stored_entry(self.entries[place], stored.seq, stored.id);
                Appended::Stored(Stored {
                    original: Some(Box::new(original)),
                    ..stored
                })
            }
            other => other,
        }
    }
}

fn column<'a, T>(entries: &[&'a NewEntry], value: impl Fn(&'a NewEntry) -> T) -> Vec<T> {
    entries.iter().map(|entry| value(entry)).collect()
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

/// The entry as it stands in the log when nothing has changed it yet.
pub(super) fn stored_entry(new: &NewEntry, seq: Seq, id: MessageId) -> Entry {
    Entry {
        conversation_id: new.conversation_id,
        seq,
        id,
        kind: new.kind,
        sender_id: new.sender_id.clone(),
        client_id: Some(new.client_id),
        body: Body {
            target_seq: None,
            ..new.body.clone()
        },
        created_at: new.received_at(),
        edited_at: None,
        deleted_at: None,
        reactions: Vec::new(),
    }
}

/// Whether an entry takes the hot path.
pub(super) const fn is_text(entry: &NewEntry) -> bool {
    matches!(entry.kind, EntryKind::Text)
}
