//! `/v1/dev`: looking at fake phones. Only in `tidings dev`, and only while its fake push services run.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::caller::Caller;
use super::extract::{Json, Query};
use crate::gateway::Problem;
use crate::gateway::access::Action;
use crate::model::{ConversationId, Device, DeviceId, Platform, Timestamp, UserId};
use crate::protocol::ErrorCode;
use crate::push::fake::{Lookout, NewSubscription, Phone, Shown};
use crate::push::provider;

/// Members whose phones one answer shows.
const MAX_MEMBERS: usize = 50;

/// Adds the routes.
pub fn add(routes: Router<Api>) -> Router<Api> {
    routes.route("/v1/dev/phones", get(phones)).route("/v1/dev/subscriptions", post(subscribe))
}

#[derive(Deserialize, IntoParams)]
pub struct PhonesQuery {
    conversation_id: Option<ConversationId>,
}

#[derive(Serialize, ToSchema)]
pub struct PhoneList {
    phones: Vec<Screen>,
}

/// A phone as its owner, or somebody who looks over their shoulder, sees it.
#[derive(Serialize, ToSchema)]
struct Screen {
    user_id: UserId,
    device_id: DeviceId,
    platform: Platform,
    /// On the screen now, oldest first.
    alerts: Vec<Shown>,
    /// The number on the app's icon. For its owner only: it counts all conversations.
    #[serde(skip_serializing_if = "Option::is_none")]
    badge: Option<u32>,
    /// How often it rang so far. For its owner only.
    #[serde(skip_serializing_if = "Option::is_none")]
    rings: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_at: Option<Timestamp>,
}

/// One's fake phones, in `tidings dev` while its fake push services run.
///
/// With `conversation_id` those of its members too, on which a member sees the alerts of this conversation and nothing
/// else: what the messages told them anyway.
#[utoipa::path(get, path = "/v1/dev/phones", params(PhonesQuery),
    responses((status = 200, body = PhoneList), (status = 404)))]
pub async fn phones(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<PhonesQuery>,
) -> Result<axum::Json<PhoneList>, Problem> {
    let fakes = api.fakes.as_ref().ok_or_else(none_here)?;
    let mut users = vec![caller.user_id.clone()];
    if let Some(id) = query.conversation_id {
        let known = api.gateway.access.check(id, &caller.asking(), Action::Take).await?;
        let others = known.view.members.iter().map(|(user, _)| user).filter(|user| **user != caller.user_id);
        users.extend(others.take(MAX_MEMBERS).cloned());
    }
    let devices = api.gateway.store.devices_of(&users).await?;
    let mut phones = Vec::new();
    for (user, devices) in users.iter().zip(devices) {
        let only = query.conversation_id.filter(|_| *user != caller.user_id);
        phones.extend(devices.into_iter().filter_map(|device| screen(fakes, user, device, only)));
    }
    Ok(axum::Json(PhoneList { phones }))
}

/// `only`: the conversation whose alerts are seen, for others than the owner.
fn screen(fakes: &Lookout, user: &UserId, device: Device, only: Option<ConversationId>) -> Option<Screen> {
    let platform = match device.platform {
        Platform::Apns => provider::Platform::Apns,
        Platform::Fcm => provider::Platform::Fcm,
        Platform::Webpush => provider::Platform::Webpush,
    };
    if !fakes.serves(platform, &device.token) {
        return None;
    }
    let phone = fakes.phone(platform, &device.token);
    let (badge, rings) = match (&phone, only) {
        (Some(phone), None) => (phone.badge, Some(phone.rings)),
        _ => (None, None),
    };
    Some(Screen {
        user_id: user.clone(),
        device_id: device.device_id,
        platform: device.platform,
        alerts: phone.map(|phone| alerts(phone, only)).unwrap_or_default(),
        badge,
        rings,
        disabled_at: device.disabled_at,
    })
}

fn alerts(phone: Phone, only: Option<ConversationId>) -> Vec<Shown> {
    let mut alerts = phone.alerts;
    if let Some(id) = only {
        let id = id.to_string();
        alerts.retain(|shown| shown.data["conversation_id"] == id.as_str());
    }
    for alert in &mut alerts {
        hide_secrets(&mut alert.data);
    }
    alerts
}

/// With the token of the payload whoever looks on could acknowledge in the owner's name.
fn hide_secrets(data: &mut Value) {
    if let Some(data) = data.as_object_mut() {
        data.remove("ack_token");
    }
}

#[derive(Deserialize, ToSchema)]
pub struct SubscriptionRequest {
    #[serde(default)]
    application_server_key: Option<String>,
}

/// A fake browser subscribes, for pages whose real one cannot reach a push service. In `tidings dev` alone, as the phones.
#[utoipa::path(post, path = "/v1/dev/subscriptions",
    responses((status = 201, body = NewSubscription), (status = 404)))]
pub async fn subscribe(
    State(api): State<Api>,
    _caller: Caller,
    Json(request): Json<SubscriptionRequest>,
) -> Result<(StatusCode, axum::Json<NewSubscription>), Problem> {
    let fakes = api.fakes.as_ref().ok_or_else(none_here)?;
    match fakes.subscribe(request.application_server_key) {
        Ok(subscription) => Ok((StatusCode::CREATED, axum::Json(subscription))),
        Err(error) => {
            tracing::error!(%error, "dev.subscribe");
            Err(Problem::new(ErrorCode::Internal, "the fake browser could not subscribe"))
        }
    }
}

fn none_here() -> Problem {
    Problem::new(ErrorCode::NotFound, "no fake push services run here")
}
