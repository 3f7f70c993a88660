//! A user read: what their other phones show of it goes.

use std::collections::{BTreeMap, BTreeSet};

use super::{Parts, Plan};
use crate::model::{DeviceId, Seq, Timestamp, UserId};
use crate::push::board::{ScreenKey, Screens};
use crate::push::job::{Clear, Phone, ReadElsewhere};
use crate::store::StoreError;

/// How far each has read, and on which device.
type Reads = BTreeMap<ScreenKey, (Seq, Option<DeviceId>)>;

/// Plans a clear for each phone that shows something of what was read.
pub(super) async fn clear(
    parts: &Parts,
    reads: Vec<ReadElsewhere>,
    plan: &mut Plan,
) -> Result<(), StoreError> {
    let mut furthest = Reads::new();
    for read in reads {
        let key = ScreenKey { user_id: read.user_id, conversation_id: read.conversation_id };
        let known = furthest.entry(key).or_default();
        if read.seq > known.0 {
            *known = (read.seq, read.on);
        }
    }
    let keys: Vec<ScreenKey> = furthest.keys().cloned().collect();
    let states = match parts.board.load(&keys).await {
        Ok(states) => states,
        Err(error) => {
            tracing::warn!(%error, "push.read: phones keep what they show");
            return Ok(());
        }
    };
    let mut showing = Vec::new();
    for (key, state) in keys.into_iter().zip(states) {
        let Some((seq, on)) = furthest.remove(&key) else { continue };
        let devices = Screens::decode(state.as_deref()).showing(seq);
        if !devices.is_empty() {
            showing.push((key, seq, on, devices));
        }
    }
    let users: BTreeSet<&UserId> = showing.iter().map(|(key, ..)| &key.user_id).collect();
    let users: Vec<UserId> = users.into_iter().cloned().collect();
    if users.is_empty() {
        return Ok(());
    }
    let registered = parts.store.devices_of(&users).await?;
    let now = Timestamp::now().as_millis();
    for (key, seq, on, devices) in showing {
        let place = users.binary_search(&key.user_id).ok();
        let known = place.and_then(|place| registered.get(place)).map_or(&[][..], Vec::as_slice);
        let others = devices.into_iter().filter(|device| on.as_ref() != Some(device));
        for device_id in others {
            let Some(device) = known.iter().find(|device| device.device_id == device_id) else { continue };
            if device.disabled_at.is_some() || device.quarantined_at.is_some() {
                continue;
            }
            let phone = Phone { user_id: key.user_id.clone(), device_id };
            let clear =
                Clear { conversation_id: key.conversation_id, seq, phone, since_ms: now, attempts: 0 };
            plan.clear(parts.providers.lane(device.platform), clear);
        }
        plan.read.push((key, seq));
    }
    Ok(())
}
