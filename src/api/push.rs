//! `/v1/push`: what an app needs to know before it registers a device.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;

#[derive(Serialize, ToSchema)]
pub struct PushAnswer {
    /// A browser subscribes with it; absent where Web Push is not configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    vapid_public_key: Option<String>,
    /// Fake phones can be looked at under `/v1/dev/phones`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    fake_phones: bool,
}

/// What an app needs to know before it registers a device. For everyone: there is no secret in it.
#[utoipa::path(get, path = "/v1/push", security(()), responses((status = 200, body = PushAnswer)))]
pub async fn read(State(api): State<Api>) -> axum::Json<PushAnswer> {
    let Api { vapid_public_key, fakes, .. } = api;
    axum::Json(PushAnswer { vapid_public_key, fake_phones: fakes.is_some() })
}
