//! Whose phones could ring.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row};

use super::super::conversations::notify;
use super::super::devices::{self, device};
use crate::model::{ConversationId, Device, UserId};
use crate::store::{DoNotDisturb, PushPreferences, Recipient, RecipientsOf, Ringable, StoreError};

macro_rules! preference_columns {
    () => {
        "quiet_from, quiet_until, quiet_zone, hold_unread_ms"
    };
}
pub(super) use preference_columns;

const CONVERSATION: &str = "SELECT kind, title, member_count FROM conversations WHERE id = ?1";
/// CROSS: the room's members first, each with a look at their devices, never all devices there are.
const OF_ALL: &str = concat!(
    "SELECT ",
    devices::columns!(),
    ", m.user_id FROM members m CROSS JOIN devices d ON d.user_id = m.user_id
     WHERE m.conversation_id = ?1 AND d.disabled_at IS NULL AND d.quarantined_at IS NULL
     ORDER BY m.user_id, d.device_id"
);
const OF_ONE: &str = concat!(
    "SELECT ",
    devices::columns!(),
    ", user_id FROM devices WHERE user_id = ?1 AND disabled_at IS NULL AND quarantined_at IS NULL
     ORDER BY device_id"
);
/// Where the user's id stands in a row of these two.
const OWNER: usize = 10;
const MEMBER: &str = concat!(
    "SELECT s.notify, s.muted_until, s.first_seq, s.read_seq, s.seen_seq, ",
    preference_columns!(),
    " FROM seen s JOIN users u ON u.id = s.user_id
     WHERE s.conversation_id = ?1 AND s.user_id = ?2 AND u.deactivated_at IS NULL"
);
const BLOCKED: &str = "
    SELECT r.other_id FROM relations r
    WHERE r.relation = 1 AND r.user_id = ?2 AND (
        EXISTS (SELECT 1 FROM members m WHERE m.conversation_id = ?1 AND m.user_id = r.other_id)
        OR EXISTS (SELECT 1 FROM former_members f WHERE f.user_id = r.other_id AND f.conversation_id = ?1))
    ORDER BY r.other_id";

pub(super) fn of(connection: &Connection, asked: &RecipientsOf) -> Result<Option<Ringable>, StoreError> {
    let id = asked.conversation_id;
    let mut statement = connection.prepare_cached(CONVERSATION)?;
    let ringable = statement
        .query_row([id], |row| {
            Ok(Ringable {
                kind: row.get(0)?,
                title: row.get(1)?,
                member_count: row.get(2)?,
                recipients: Vec::new(),
            })
        })
        .optional()?;
    let Some(mut ringable) = ringable else {
        return Ok(None);
    };
    for (user, devices) in reachable(connection, asked)? {
        if let Some(recipient) = recipient(connection, id, ringable.member_count, user, devices)? {
            ringable.recipients.push(recipient);
        }
    }
    Ok(Some(ringable))
}

/// By user id: their devices that can be reached.
fn reachable(
    connection: &Connection,
    asked: &RecipientsOf,
) -> Result<Vec<(UserId, Vec<Device>)>, StoreError> {
    let mut reachable: Vec<(UserId, Vec<Device>)> = Vec::new();
    let mut add = |row: &Row<'_>| -> rusqlite::Result<()> {
        let (user, device): (UserId, Device) = (row.get(OWNER)?, device(row)?);
        match reachable.last_mut().filter(|(last, _)| *last == user) {
            Some((_, devices)) => devices.push(device),
            None => reachable.push((user, vec![device])),
        }
        Ok(())
    };
    match &asked.only {
        None => {
            let mut statement = connection.prepare_cached(OF_ALL)?;
            let mut rows = statement.query([asked.conversation_id])?;
            while let Some(row) = rows.next()? {
                add(row)?;
            }
        }
        Some(only) => {
            let mut users: Vec<&UserId> = only.iter().collect();
            users.sort_unstable();
            users.dedup();
            let mut statement = connection.prepare_cached(OF_ONE)?;
            for user in users {
                let mut rows = statement.query([user])?;
                while let Some(row) = rows.next()? {
                    add(row)?;
                }
            }
        }
    }
    Ok(reachable)
}

/// `None` when the user is deactivated or no member.
fn recipient(
    connection: &Connection,
    id: ConversationId,
    member_count: i64,
    user_id: UserId,
    devices: Vec<Device>,
) -> Result<Option<Recipient>, StoreError> {
    let mut blocked = connection.prepare_cached(BLOCKED)?;
    let blocked =
        blocked.query_map((id, &user_id), |row| row.get(0))?.collect::<rusqlite::Result<Vec<UserId>>>()?;
    let mut statement = connection.prepare_cached(MEMBER)?;
    let recipient = statement
        .query_row((id, &user_id), |row| {
            Ok(Recipient {
                user_id: user_id.clone(),
                notify: notify(row.get(0)?, member_count),
                muted_until: row.get(1)?,
                first_seq: row.get(2)?,
                read_seq: row.get(3)?,
                seen_seq: row.get(4)?,
                blocked,
                preferences: preferences(row, 5)?,
                devices,
            })
        })
        .optional()?;
    Ok(recipient)
}

/// The [`preference_columns`], which begin at `first`.
pub(super) fn preferences(row: &Row<'_>, first: usize) -> rusqlite::Result<PushPreferences> {
    let hours = (row.get(first)?, row.get(first + 1)?, row.get(first + 2)?);
    let do_not_disturb = match hours {
        (Some(from_minute), Some(until_minute), Some(time_zone)) => {
            Some(DoNotDisturb { from_minute, until_minute, time_zone })
        }
        _ => None,
    };
    let hold: Option<i64> = row.get(first + 3)?;
    let hold = hold.map(|millis| Duration::from_millis(millis.unsigned_abs()));
    Ok(PushPreferences { do_not_disturb, hold_until_unread: hold })
}
