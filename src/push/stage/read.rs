//! A user read: what their other phones show of it goes, and their badges are corrected.

use std::collections::{BTreeMap, BTreeSet};

use super::{Parts, Plan};
use crate::model::{DeviceId, Seq, UserId};
use crate::push::board::{ScreenKey, Screens};
use crate::push::job::{Clear, Phone, ReadElsewhere};
use crate::store::StoreError;

/// How far each has read.
type Reads = BTreeMap<ScreenKey, Furthest>;

#[derive(Default)]
struct Furthest {
    seq: Seq,
    /// The device on which it was read.
    on: Option<DeviceId>,
    at_ms: i64,
}

/// A user whose phones may have to be told.
struct Reader {
    key: ScreenKey,
    read: Furthest,
    /// The devices that show something of it.
    showing: Vec<DeviceId>,
    badges: Screens,
}

/// Plans a clear for each phone that shows something of what was read, or a badge that is wrong now.
pub(super) async fn clear(
    parts: &Parts,
    reads: Vec<ReadElsewhere>,
    plan: &mut Plan,
) -> Result<(), StoreError> {
    let mut furthest = Reads::new();
    for read in reads {
        let key = ScreenKey { user_id: read.user_id, conversation_id: read.conversation_id };
        let known = furthest.entry(key).or_default();
        if read.seq > known.seq {
            *known = Furthest { seq: read.seq, on: read.on, at_ms: read.at_ms };
        }
    }
    let badges = furthest.keys().map(|key| ScreenKey::of_badges(key.user_id.clone()));
    let keys: Vec<ScreenKey> = furthest.keys().cloned().chain(badges).collect();
    let mut states = match parts.board.load(&keys).await {
        Ok(states) => states,
        Err(error) => {
            tracing::warn!(%error, "push.read: phones keep what they show");
            return Ok(());
        }
    };
    let badges = states.split_off(furthest.len().min(states.len()));
    let mut readers = Vec::new();
    for ((key, read), (state, badges)) in furthest.into_iter().zip(states.into_iter().zip(badges)) {
        let showing = Screens::decode(state.as_deref()).showing(read.seq);
        let badges = Screens::decode(badges.as_deref());
        if !showing.is_empty() || badges.has_badge() {
            readers.push(Reader { key, read, showing, badges });
        }
    }
    let users: BTreeSet<&UserId> = readers.iter().map(|reader| &reader.key.user_id).collect();
    let users: Vec<UserId> = users.into_iter().cloned().collect();
    if users.is_empty() {
        return Ok(());
    }
    let (registered, right) = tokio::try_join!(parts.store.devices_of(&users), parts.store.badges(&users))?;
    for reader in readers {
        let Ok(place) = users.binary_search(&reader.key.user_id) else { continue };
        let known = registered.get(place).map_or(&[][..], Vec::as_slice);
        let right = right.get(place).map_or(0, |badge| u32::try_from(*badge).unwrap_or(0));
        let told: BTreeSet<DeviceId> =
            reader.showing.iter().cloned().chain(reader.badges.wrong_badges(right)).collect();
        for device in known {
            let others = reader.read.on.as_ref() != Some(&device.device_id);
            let reached = device.disabled_at.is_none() && device.quarantined_at.is_none();
            if others && reached && told.contains(&device.device_id) {
                plan.clear(parts.providers.lane(device.platform), clear_of(&reader, &device.device_id));
            }
        }
        if !reader.showing.is_empty() {
            plan.read.push((reader.key, reader.read.seq));
        }
    }
    Ok(())
}

fn clear_of(reader: &Reader, device: &DeviceId) -> Clear {
    Clear {
        conversation_id: reader.key.conversation_id,
        seq: reader.read.seq,
        phone: Phone { user_id: reader.key.user_id.clone(), device_id: device.clone() },
        since_ms: reader.read.at_ms,
        attempts: 0,
    }
}
