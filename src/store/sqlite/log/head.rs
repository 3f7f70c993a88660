//! The conversations of one batch: read once, moved on in memory, written once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::{Connection, OptionalExtension, Row};

use crate::model::{ClientId, ConversationId, ConversationKind, Seq, UserId};

const LOAD: &str = "
    SELECT number, kind, last_seq, text_count, members_seq, low_user, high_user, low_barred, high_barred,
           low_sent_seq, low_sent_texts, high_sent_seq, high_sent_texts
    FROM conversations WHERE id = ?1";
const SAVE: &str = "
    UPDATE conversations SET last_seq = ?2, text_count = ?3, members_seq = ?4,
           low_sent_seq = ?5, low_sent_texts = ?6, high_sent_seq = ?7, high_sent_texts = ?8
    WHERE number = ?1";

/// Where a conversation's log stands.
pub(super) struct Head {
    pub id: ConversationId,
    pub number: i64,
    pub kind: ConversationKind,
    pub last_seq: Seq,
    pub text_count: i64,
    pub members_seq: Seq,
    pub pair: Option<Pair>,
    changed: bool,
}

/// The two users of a direct conversation.
pub(super) struct Pair {
    low: Side,
    high: Side,
}

pub(super) struct Side {
    user: Box<str>,
    /// May not write.
    pub barred: bool,
    /// The greatest of the client ids that they used here, once somebody looked; nil for none.
    pub newest: Option<ClientId>,
    /// How far they got by sending.
    sent_seq: Seq,
    sent_texts: i64,
}

impl Pair {
    pub(super) fn has(&self, user: &UserId) -> bool {
        *self.low.user == *user.as_str() || *self.high.user == *user.as_str()
    }

    pub(super) fn side_of(&mut self, user: &UserId) -> Option<&mut Side> {
        [&mut self.low, &mut self.high].into_iter().find(|side| *side.user == *user.as_str())
    }
}

impl Head {
    /// Counts an entry in that got the next seq.
    pub(super) fn advance(&mut self, sender: &UserId, is_text: bool) {
        self.last_seq = self.last_seq.next();
        self.text_count += i64::from(is_text);
        self.changed = true;
        if let Some(side) = self.pair.as_mut().and_then(|pair| pair.side_of(sender)) {
            side.sent_seq = self.last_seq;
            side.sent_texts = self.text_count;
        }
    }

    /// What is known of a sender's client ids, in a direct conversation.
    pub(super) fn newest_of(&mut self, sender: &UserId) -> Option<&mut Option<ClientId>> {
        Some(&mut self.pair.as_mut()?.side_of(sender)?.newest)
    }

    pub(super) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        let sent = |side: &Side| (side.sent_seq, side.sent_texts);
        let nowhere = (Seq::ZERO, 0);
        let (low, high) =
            self.pair.as_ref().map_or((nowhere, nowhere), |pair| (sent(&pair.low), sent(&pair.high)));
        connection.prepare_cached(SAVE)?.execute((
            self.number,
            self.last_seq,
            self.text_count,
            self.members_seq,
            low.0,
            low.1,
            high.0,
            high.1,
        ))?;
        Ok(())
    }
}

#[derive(Default)]
pub(super) struct Heads {
    loaded: HashMap<ConversationId, Head>,
}

impl Heads {
    /// `None` when there is no such conversation (yet).
    pub(super) fn get(
        &mut self,
        connection: &Connection,
        id: ConversationId,
    ) -> rusqlite::Result<Option<&mut Head>> {
        let place = match self.loaded.entry(id) {
            Entry::Occupied(loaded) => return Ok(Some(loaded.into_mut())),
            Entry::Vacant(place) => place,
        };
        Ok(load(connection, id)?.map(|head| place.insert(head)))
    }

    pub(super) fn save(self, connection: &Connection) -> rusqlite::Result<()> {
        self.loaded.into_values().filter(|head| head.changed).try_for_each(|head| head.save(connection))
    }
}

/// `None` when there is no such conversation (yet).
pub(super) fn load(connection: &Connection, id: ConversationId) -> rusqlite::Result<Option<Head>> {
    let key = id.as_uuid().into_bytes();
    connection.prepare_cached(LOAD)?.query_row([&key[..]], |row| head(id, row)).optional()
}

fn head(id: ConversationId, row: &Row<'_>) -> rusqlite::Result<Head> {
    let kind = row.get(1)?;
    let side = |user: usize, barred: usize, sent: usize| {
        Ok::<_, rusqlite::Error>(Side {
            user: row.get(user)?,
            barred: row.get(barred)?,
            newest: None,
            sent_seq: row.get(sent)?,
            sent_texts: row.get(sent + 1)?,
        })
    };
    let pair = match kind {
        ConversationKind::Direct => Some(Pair { low: side(5, 7, 9)?, high: side(6, 8, 11)? }),
        ConversationKind::Group | ConversationKind::Channel => None,
    };
    Ok(Head {
        id,
        number: row.get(0)?,
        kind,
        last_seq: row.get(2)?,
        text_count: row.get(3)?,
        members_seq: row.get(4)?,
        pair,
        changed: false,
    })
}
