//! `/v1/accounts`: built-in accounts.

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::extract::Json;
use super::{Accounts, Api};
use crate::auth::PasswordError;
use crate::gateway::Problem;
use crate::gateway::handshake::Arrival;
use crate::model::{Profile, Timestamp, UserId};
use crate::protocol::ErrorCode;
use crate::store::NewAccount;

#[derive(Deserialize, ToSchema)]
pub struct NewAccountRequest {
    user_id: UserId,
    password: String,
    display_name: Option<String>,
}

/// A user who is signed in.
#[derive(Serialize, ToSchema)]
pub struct SignedIn {
    pub user: Profile,
    pub token: String,
    pub expires_at: Timestamp,
}

/// Longest display name, in characters.
pub const MAX_NAME: usize = 128;

/// Signs up, where built-in accounts are switched on.
#[utoipa::path(post, path = "/v1/accounts", security(()),
    responses((status = 201, body = SignedIn), (status = 409), (status = 429)))]
pub async fn create(
    State(api): State<Api>,
    Extension(arrival): Extension<Arrival>,
    Json(request): Json<NewAccountRequest>,
) -> Result<(StatusCode, axum::Json<SignedIn>), Problem> {
    let accounts = api.accounts()?;
    check_name(request.display_name.as_deref())?;
    accounts.limit(&request.user_id, &arrival)?;
    let password_hash = accounts.passwords.hash(&request.password).await.map_err(password_problem)?;
    let account =
        NewAccount { user_id: request.user_id.clone(), password_hash, display_name: request.display_name };
    if !api.gateway.store.create_account(&account).await? {
        return Err(Problem::new(ErrorCode::Conflict, "this user id is taken"));
    }
    accounts.attempts.succeeded(request.user_id.as_str(), arrival.address);
    let signed_in = api.sign_in(request.user_id).await?;
    Ok((StatusCode::CREATED, axum::Json(signed_in)))
}

pub fn check_name(name: Option<&str>) -> Result<(), Problem> {
    let bad = |name: &str| name.chars().count() > MAX_NAME || name.chars().any(char::is_control);
    if name.is_some_and(bad) {
        return Err(Problem::bad_request(format!(
            "a name is at most {MAX_NAME} characters without control characters"
        )));
    }
    Ok(())
}

pub fn password_problem(error: PasswordError) -> Problem {
    if error.is_retryable() {
        Problem::unavailable("too many passwords are being checked", 1000)
    } else {
        Problem::bad_request(error.to_string())
    }
}

impl Accounts {
    /// Counts an attempt of this user from this address.
    pub fn limit(&self, user: &UserId, arrival: &Arrival) -> Result<(), Problem> {
        let now = std::time::Instant::now();
        self.attempts
            .attempt(user.as_str(), arrival.address, now)
            .map_err(|limited| Problem::rate_limited(limited.retry_after))
    }
}

impl Api {
    pub fn accounts(&self) -> Result<&Accounts, Problem> {
        let off = || Problem::new(ErrorCode::NotFound, "built-in accounts are switched off here");
        self.accounts.as_deref().ok_or_else(off)
    }
}
