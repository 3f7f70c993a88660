//! `/v1/devices`: registering for push. Answers never contain the token.

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::caller::Caller;
use super::extract::{Json, Path};
use super::me::no_user;
use crate::gateway::Problem;
use crate::gateway::handshake::Arrival;
use crate::model::{Device, DeviceId, Environment, Platform, Timestamp};
use crate::protocol::ErrorCode;
use crate::push::probe::Probed;
use crate::push::webpush::{Subscription, is_allowed};
use crate::store::Registration;

/// Longest token and application id, in bytes: a Web Push subscription is the longest of them.
const MAX_TOKEN: usize = 4096;
const MAX_APP_ID: usize = 255;

#[derive(Deserialize, ToSchema)]
pub struct DeviceRequest {
    platform: Platform,
    token: String,
    /// Needed by APNs as its topic, unless the server has a default one.
    #[serde(default)]
    app_id: String,
    environment: Option<Environment>,
}

#[derive(Serialize, ToSchema)]
pub struct DeviceList {
    devices: Vec<Device>,
}

/// One's registered devices.
#[utoipa::path(get, path = "/v1/devices", responses((status = 200, body = DeviceList)))]
pub async fn list(State(api): State<Api>, caller: Caller) -> Result<axum::Json<DeviceList>, Problem> {
    let devices = api.gateway.store.devices_of(std::slice::from_ref(&caller.user_id)).await?;
    Ok(axum::Json(DeviceList { devices: devices.into_iter().next().unwrap_or_default() }))
}

/// Registers a device for push. A token belongs to the last user who registered it.
#[utoipa::path(put, path = "/v1/devices/{device_id}",
    params(("device_id" = DeviceId, Path)), responses((status = 200, body = Device)))]
pub async fn put(
    State(api): State<Api>,
    caller: Caller,
    Path(device_id): Path<DeviceId>,
    Json(request): Json<DeviceRequest>,
) -> Result<axum::Json<Device>, Problem> {
    check("token", &request.token, MAX_TOKEN)?;
    if !request.app_id.is_empty() {
        check("app_id", &request.app_id, MAX_APP_ID)?;
    }
    check_token(request.platform, &request.token, api.push.webpush_hosts.as_deref())?;
    let registration = Registration {
        user_id: caller.user_id,
        device_id,
        platform: request.platform,
        token: request.token,
        app_id: request.app_id,
        environment: request.environment,
        session_id: caller.sign_in,
        at: Timestamp::now(),
    };
    let device = api.gateway.store.register_device(&registration).await?.ok_or_else(no_user)?;
    // Others may remember that this user has no device: until they know better the answer is not "done".
    api.gateway.fanout.device_registered(&registration.user_id).await.map_err(|error| {
        tracing::warn!(%error, "api.device_news");
        Problem::unavailable("the device is registered but others could not be told", 1000)
    })?;
    Ok(axum::Json(device))
}

/// Ends the push registration of a device.
#[utoipa::path(delete, path = "/v1/devices/{device_id}", params(("device_id" = DeviceId, Path)), responses((status = 204)))]
pub async fn remove(
    State(api): State<Api>,
    caller: Caller,
    Path(device_id): Path<DeviceId>,
) -> Result<StatusCode, Problem> {
    if !api.gateway.store.remove_device(&caller.user_id, &device_id).await? {
        return Err(no_device());
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a device ring once, and answers with its provider's own words.
#[utoipa::path(post, path = "/v1/devices/{device_id}/test", params(("device_id" = DeviceId, Path)),
    responses((status = 200, body = Probed), (status = 429)))]
pub async fn test(
    State(api): State<Api>,
    Extension(arrival): Extension<Arrival>,
    caller: Caller,
    Path(device_id): Path<DeviceId>,
) -> Result<axum::Json<Probed>, Problem> {
    let now = std::time::Instant::now();
    api.push
        .tests
        .attempt(caller.user_id.as_str(), arrival.address, now)
        .map_err(|limited| Problem::rate_limited(limited.retry_after))?;
    let devices = api.gateway.store.devices_of(std::slice::from_ref(&caller.user_id)).await?;
    if !devices.iter().flatten().any(|device| device.device_id == device_id) {
        return Err(no_device());
    }
    Ok(axum::Json(api.gateway.probe(&caller.user_id, &device_id).await?))
}

/// What no provider would take is refused here, where the app's developer sees it.
fn check_token(platform: Platform, token: &str, webpush_hosts: Option<&[String]>) -> Result<(), Problem> {
    match platform {
        Platform::Apns => {
            // It becomes a part of a path. Apple's are in hex, but that is Apple's to judge.
            if !token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)) {
                return Err(Problem::bad_request(
                    "`token` of APNs is the device token in hex: letters and digits",
                ));
            }
        }
        // Google promises nothing about the form of its tokens.
        Platform::Fcm => {}
        Platform::Webpush => {
            let subscription = Subscription::parse(token)
                .map_err(|error| Problem::bad_request(format!("`token` is {error}")))?;
            let host = subscription.host();
            // Or anyone could make the server send requests into its own network.
            if webpush_hosts.is_some_and(|allowed| !is_allowed(allowed, host)) {
                return Err(Problem::bad_request("`token` names a push service that is not allowed here"));
            }
        }
    }
    Ok(())
}

fn no_device() -> Problem {
    Problem::new(ErrorCode::NotFound, "there is no such device")
}

fn check(name: &str, value: &str, most: usize) -> Result<(), Problem> {
    if value.is_empty() || value.len() > most || value.chars().any(char::is_control) {
        return Err(Problem::bad_request(format!(
            "`{name}` is 1 to {most} bytes without control characters"
        )));
    }
    Ok(())
}
