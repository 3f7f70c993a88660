//! `/v1/devices`: registering for push. Answers never contain the token.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::caller::Caller;
use super::extract::{Json, Path};
use super::me::no_user;
use crate::gateway::Problem;
use crate::model::{Device, DeviceId, Environment, Platform, Timestamp};
use crate::protocol::ErrorCode;
use crate::store::Registration;

/// Longest token and application id, in bytes: a Web Push subscription is the longest of them.
const MAX_TOKEN: usize = 4096;
const MAX_APP_ID: usize = 255;

#[derive(Deserialize, ToSchema)]
pub struct DeviceRequest {
    platform: Platform,
    token: String,
    app_id: String,
    #[serde(default)]
    environment: Environment,
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
    check("app_id", &request.app_id, MAX_APP_ID)?;
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
    let device = api.gateway.store.register_device(&registration).await?;
    device.map(axum::Json).ok_or_else(no_user)
}

/// Ends the push registration of a device.
#[utoipa::path(delete, path = "/v1/devices/{device_id}", params(("device_id" = DeviceId, Path)), responses((status = 204)))]
pub async fn remove(
    State(api): State<Api>,
    caller: Caller,
    Path(device_id): Path<DeviceId>,
) -> Result<StatusCode, Problem> {
    if !api.gateway.store.remove_device(&caller.user_id, &device_id).await? {
        return Err(Problem::new(ErrorCode::NotFound, "there is no such device"));
    }
    Ok(StatusCode::NO_CONTENT)
}

fn check(name: &str, value: &str, most: usize) -> Result<(), Problem> {
    if value.is_empty() || value.len() > most || value.chars().any(char::is_control) {
        return Err(Problem::bad_request(format!(
            "`{name}` is 1 to {most} bytes without control characters"
        )));
    }
    Ok(())
}
