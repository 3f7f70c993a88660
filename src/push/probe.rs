//! A test push: one device, one attempt, and the provider's own words as the answer.
//!
//! A gateway asks for it and the push stage does it: the providers' keys are where the pushes are sent from and not in the processes
//! that face the Internet, and what is tested is the way that real pushes take.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::limits::Limited;
use super::provider::{Alert, Kind, Notification, Priority, Target};
use super::providers::Providers;
use crate::fanout::{Fanout, FanoutError};
use crate::model::{self, Device, DeviceId, Event, EventBody, GatewayId, SessionId, Timestamp, UserId};
use crate::store::{Store, StoreError};

/// Test pushes of this process under way at once: they are beside the lanes that bound real ones.
static PLACES: Semaphore = Semaphore::const_new(32);

/// After this a phone need not show it any more.
const EXPIRY: Duration = Duration::from_secs(60);

/// The job in the push queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeJob {
    pub user_id: UserId,
    pub device_id: DeviceId,
    /// Who waits for the answer,
    pub gateway: GatewayId,
    pub request: SessionId,
    /// and until when, in milliseconds since 1970.
    pub until_ms: i64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeAnswer {
    /// The device was removed meanwhile.
    NoDevice,
    Delivered(Probed),
}

/// What came of a test push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Probed {
    pub provider: String,
    /// `delivered`, `token_invalid`, `quarantined`, `retry` or `rejected`.
    pub outcome: String,
    /// Why, where it was not delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The provider's HTTP status and the body of its answer; none when it was not reached, or need not be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

/// Why a test push was not made or its answer not sent.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Fanout(#[from] FanoutError),
    #[error("too many test pushes at once")]
    Busy,
    #[error("the answer cannot be JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Does the job and answers the gateway. It is tried once: whoever asked sees what came of it and may ask again.
///
/// # Errors
/// Nobody was answered, and the job can be acknowledged all the same.
pub async fn perform(
    job: &ProbeJob,
    store: &dyn Store,
    fanout: &dyn Fanout,
    providers: &Providers,
) -> Result<(), ProbeError> {
    if Timestamp::now() > Timestamp::from_millis(job.until_ms) {
        return Ok(());
    }
    let _place = PLACES.try_acquire().map_err(|_| ProbeError::Busy)?;
    let devices = store.devices_of(std::slice::from_ref(&job.user_id)).await?;
    let device = devices.into_iter().flatten().find(|device| device.device_id == job.device_id);
    let answer = match device {
        None => ProbeAnswer::NoDevice,
        Some(device) => ProbeAnswer::Delivered(probe(providers.of(device.platform), &device).await),
    };
    let json = Bytes::from(serde_json::to_vec(&answer)?);
    let body = EventBody::Answer { request: job.request, json };
    fanout.publish(vec![Event { target: model::Target::Gateway(job.gateway), body }]).await?;
    Ok(())
}

async fn probe(provider: &Limited, device: &Device) -> Probed {
    let delivery = provider.turn().await.deliver(&notification(device)).await;
    let (status, answer) = match delivery.answer {
        Some(answer) => (Some(answer.status), Some(answer.body)),
        None => (None, None),
    };
    Probed {
        provider: provider.name().to_owned(),
        outcome: delivery.outcome.label().to_owned(),
        reason: delivery.outcome.reason().map(str::to_owned),
        status,
        answer,
    }
}

fn notification(device: &Device) -> Notification {
    let alert = Alert {
        title: Some("Test".to_owned()),
        body: Some("This device can be reached by push.".to_owned()),
        collapse_id: Some("test".to_owned()),
        tag: Some("test".to_owned()),
        sound: Some("default".to_owned()),
        ..Alert::default()
    };
    Notification {
        // Another one each time: asked for again, it is to ring again.
        id: Uuid::new_v4(),
        device: Target::of(device),
        kind: Kind::Alert(alert),
        badge: None,
        data: BTreeMap::from([("type".to_owned(), Value::from("test"))]),
        ack_token: None,
        priority: Priority::High,
        expires_at: SystemTime::now() + EXPIRY,
    }
}
