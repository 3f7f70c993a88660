//! `/v1/sessions`: signing in and out.

use std::time::SystemTime;

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::accounts::{SignedIn, password_problem};
use super::caller::Caller;
use super::extract::{Json, Query};
use crate::auth::{Grant, PasswordCheck};
use crate::gateway::Problem;
use crate::gateway::handshake::Arrival;
use crate::model::{DeviceId, Event, EventBody, SessionId, Target, Timestamp, UserId};
use crate::protocol::ErrorCode;
use crate::store::Session;

#[derive(Deserialize, ToSchema)]
pub struct SignInRequest {
    user_id: UserId,
    password: String,
}

/// Signs in with a password.
#[utoipa::path(post, path = "/v1/sessions", security(()),
    responses((status = 200, body = SignedIn), (status = 401), (status = 429)))]
pub async fn create(
    State(api): State<Api>,
    Extension(arrival): Extension<Arrival>,
    Json(request): Json<SignInRequest>,
) -> Result<axum::Json<SignedIn>, Problem> {
    let accounts = api.accounts()?;
    accounts.limit(&request.user_id, &arrival)?;
    let stored = api.gateway.store.password_hash(&request.user_id).await?;
    let check = accounts.passwords.check(stored.as_deref(), &request.password).await;
    match check.map_err(password_problem)? {
        PasswordCheck::Right => {}
        PasswordCheck::Wrong => {
            return Err(Problem::new(ErrorCode::Unauthenticated, "user id or password is wrong"));
        }
    }
    accounts.attempts.succeeded(request.user_id.as_str(), arrival.address);
    Ok(axum::Json(api.sign_in(request.user_id).await?))
}

#[derive(Deserialize, IntoParams)]
pub struct SignOutQuery {
    /// The device that is signed out, where the token is not that of a built-in account and names none itself. Without it, all of the
    /// user's that belong to no sign-in.
    device_id: Option<DeviceId>,
}

/// Signs out: the token of a built-in account ends and its sockets close, and pushes to its device end. Another token is good until it
/// expires; signing out with it ends the pushes.
#[utoipa::path(delete, path = "/v1/sessions", params(SignOutQuery), security(("user_token" = [])), responses((status = 204)))]
pub async fn end(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<SignOutQuery>,
) -> Result<StatusCode, Problem> {
    let Some(session) = caller.sign_in else {
        api.unbind(&caller.user_id, caller.device_id.or(query.device_id)).await?;
        return Ok(StatusCode::NO_CONTENT);
    };
    api.gateway.store.end_session(&caller.user_id, session).await?;
    api.gateway
        .announce(Event {
            target: Target::Users(vec![caller.user_id]),
            body: EventBody::Expelled { deactivated: false, session: Some(session) },
        })
        .await;
    Ok(StatusCode::NO_CONTENT)
}

impl Api {
    /// Ends the pushes to this device of the user, or to all that belong to no sign-in.
    async fn unbind(&self, user: &UserId, device: Option<DeviceId>) -> Result<(), Problem> {
        let store = &self.gateway.store;
        let devices = match device {
            Some(device) => vec![device],
            None => {
                let devices = store.devices_of(std::slice::from_ref(user)).await?;
                let free = devices.into_iter().flatten().filter(|device| device.session_id.is_none());
                free.map(|device| device.device_id).collect()
            }
        };
        for device in &devices {
            store.remove_device(user, device).await?;
        }
        Ok(())
    }

    /// A new sign-in of a user whose password was right.
    pub async fn sign_in(&self, user_id: UserId) -> Result<SignedIn, Problem> {
        let accounts = self.accounts()?;
        let id = SessionId::new();
        let grant = Grant::new(user_id.as_str(), accounts.session_ttl).session(id.as_uuid());
        let minted = accounts.issuer.mint(&grant, SystemTime::now()).map_err(|error| {
            tracing::error!(%error, "api.sign_in");
            Problem::new(ErrorCode::Internal, "no token could be made")
        })?;
        let expires_at = Timestamp::now().plus(accounts.session_ttl);
        let store = &self.gateway.store;
        store.create_session(&Session { id, user_id: user_id.clone(), expires_at }).await?;
        let user = store.profiles(std::slice::from_ref(&user_id)).await?.pop();
        let user = user.ok_or_else(|| Problem::new(ErrorCode::NotFound, "there is no such user"))?;
        Ok(SignedIn { user, token: minted.token, expires_at })
    }
}
