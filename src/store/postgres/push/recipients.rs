//! Whose phones could ring.

use std::time::Duration;

use tokio_postgres::Row;
use uuid::Uuid;

use super::super::PostgresStore;
use super::super::devices::device;
use super::super::error::Failure;
use super::super::pages::notify;
use super::super::values::{conversation_kind, parse_user, place, timestamp};
use crate::model::{Seq, UserId};
use crate::store::{DoNotDisturb, PushPreferences, Recipient, RecipientsOf, Ringable};

/// One row for each device, and one for a conversation without any. Only members' ids are walked in a large room: devices are found by
/// user before anything else is read, and everything else is read for those who have one.
const RECIPIENTS: &str = "
WITH asked AS MATERIALIZED (
    SELECT a.place, a.everybody, c.id, c.kind, c.title, c.member_count
    FROM unnest($1::uuid[], $2::boolean[]) WITH ORDINALITY AS a (id, everybody, place)
    JOIN conversations c ON c.id = a.id
), reachable AS MATERIALIZED (
    SELECT a.place, d.*
    FROM asked a
    JOIN members m ON m.conversation_id = a.id
    JOIN devices d ON d.user_id = m.user_id
    WHERE a.everybody AND d.disabled_at IS NULL AND d.quarantined_at IS NULL
    UNION ALL
    SELECT o.place, d.*
    FROM unnest($3::bigint[], $4::text[]) AS o (place, user_id)
    JOIN devices d ON d.user_id = o.user_id
    WHERE d.disabled_at IS NULL AND d.quarantined_at IS NULL
), rings AS MATERIALIZED (
    SELECT r.*, p.notify, p.muted_until, p.first_seq, p.read_seq, p.seen_seq,
           u.quiet_from, u.quiet_until, u.quiet_zone, u.hold_unread_ms,
           (SELECT array_agg(b.other_id ORDER BY b.other_id) FROM blocks b
            WHERE b.user_id = r.user_id AND (
                EXISTS (SELECT 1 FROM members m WHERE m.conversation_id = a.id AND m.user_id = b.other_id)
                OR EXISTS (SELECT 1 FROM former_members f WHERE f.user_id = b.other_id AND f.conversation_id = a.id)
            )) AS blocked
    FROM reachable r
    JOIN asked a ON a.place = r.place
    JOIN member_positions p ON p.conversation_id = a.id AND p.user_id = r.user_id
    JOIN users u ON u.id = r.user_id AND u.deactivated_at IS NULL
)
SELECT a.place AS place, a.kind, a.title, a.member_count, r.user_id, r.notify, r.muted_until, r.first_seq, r.read_seq,
       r.seen_seq, r.quiet_from, r.quiet_until, r.quiet_zone, r.hold_unread_ms, r.blocked,
       r.device_id, r.platform, r.app_id, r.environment, r.token, r.session_id, r.registered_at, r.last_seen_at,
       r.disabled_at, r.quarantined_at
FROM asked a
LEFT JOIN rings r ON r.place = a.place
ORDER BY a.place, r.user_id, r.device_id";

impl PostgresStore {
    pub(super) async fn read_recipients(
        &self,
        of: &[RecipientsOf],
    ) -> Result<Vec<Option<Ringable>>, Failure> {
        let ids: Vec<Uuid> = of.iter().map(|one| one.conversation_id.as_uuid()).collect();
        let everybody: Vec<bool> = of.iter().map(|one| one.only.is_none()).collect();
        let (mut places, mut names) = (Vec::<i64>::new(), Vec::<&str>::new());
        for (one, place) in of.iter().zip(1..) {
            let mut only: Vec<&str> = one.only.iter().flatten().map(UserId::as_str).collect();
            only.sort_unstable();
            only.dedup();
            places.extend(std::iter::repeat_n(place, only.len()));
            names.extend(only);
        }
        let rows = self.session().await?.query(RECIPIENTS, &[&ids, &everybody, &places, &names]).await?;
        let mut answers: Vec<Option<Ringable>> = of.iter().map(|_| None).collect();
        for row in &rows {
            if let Some(slot) = answers.get_mut(place(row)?) {
                let ringable = match slot {
                    Some(ringable) => ringable,
                    None => slot.insert(ringable(row)?),
                };
                add(ringable, row)?;
            }
        }
        Ok(answers)
    }
}

fn ringable(row: &Row) -> Result<Ringable, Failure> {
    Ok(Ringable {
        kind: conversation_kind(row.try_get("kind")?)?,
        title: row.try_get("title")?,
        member_count: row.try_get("member_count")?,
        recipients: Vec::new(),
    })
}

/// The row's device, to the recipient whose rows these are.
fn add(ringable: &mut Ringable, row: &Row) -> Result<(), Failure> {
    let Some(user) = row.try_get::<_, Option<&str>>("user_id")? else {
        return Ok(());
    };
    if ringable.recipients.last().is_none_or(|last| last.user_id.as_str() != user) {
        ringable.recipients.push(recipient(parse_user(user)?, ringable.member_count, row)?);
    }
    if let Some(last) = ringable.recipients.last_mut() {
        last.devices.push(device(row)?);
    }
    Ok(())
}

fn recipient(user_id: UserId, member_count: i64, row: &Row) -> Result<Recipient, Failure> {
    let blocked: Vec<&str> = row.try_get::<_, Option<_>>("blocked")?.unwrap_or_default();
    Ok(Recipient {
        user_id,
        notify: notify(row.try_get("notify")?, member_count)?,
        muted_until: timestamp(row, "muted_until")?,
        first_seq: Seq::new(row.try_get("first_seq")?),
        read_seq: Seq::new(row.try_get("read_seq")?),
        seen_seq: Seq::new(row.try_get("seen_seq")?),
        blocked: blocked.into_iter().map(parse_user).collect::<Result<_, _>>()?,
        preferences: preferences(row)?,
        devices: Vec::new(),
    })
}

pub(super) fn preferences(row: &Row) -> Result<PushPreferences, Failure> {
    let minute = |column| -> Result<Option<u16>, Failure> {
        let minute: Option<i16> = row.try_get(column)?;
        minute.map(u16::try_from).transpose().map_err(|_| Failure::Unknown("a minute of a day"))
    };
    let hours = (minute("quiet_from")?, minute("quiet_until")?, row.try_get("quiet_zone")?);
    let do_not_disturb = match hours {
        (Some(from_minute), Some(until_minute), Some(time_zone)) => {
            Some(DoNotDisturb { from_minute, until_minute, time_zone })
        }
        _ => None,
    };
    let hold: Option<i64> = row.try_get("hold_unread_ms")?;
    let hold = hold.map(u64::try_from).transpose().map_err(|_| Failure::Unknown("a duration"))?;
    Ok(PushPreferences { do_not_disturb, hold_until_unread: hold.map(Duration::from_millis) })
}
