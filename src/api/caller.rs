//! Who asks: a user with a token, or an application's backend with a server key.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::Api;
use crate::auth;
use crate::gateway::Problem;
use crate::gateway::access::Asking;
use crate::model::{DeviceId, SessionId, UserId};
use crate::protocol::ErrorCode;

/// A user, or a backend that acts for one (`X-Tidings-User`).
#[derive(Debug)]
pub struct Caller {
    pub user_id: UserId,
    /// Set when the token belongs to a sign-in of a built-in account.
    pub sign_in: Option<SessionId>,
    /// The device that the token is bound to.
    pub device_id: Option<DeviceId>,
    /// The application's backend asks.
    pub by_server: bool,
}

const ACTING_FOR: &str = "x-tidings-user";

impl Caller {
    /// HTTP callers may have no socket here, so views of conversations may be old.
    pub fn asking(&self) -> Asking<'_> {
        Asking { id: &self.user_id, connected: false }
    }
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let unauthenticated = |message: &str| Problem::new(ErrorCode::Unauthenticated, message);
        let bearer = auth::bearer(&parts.headers).map_err(|error| unauthenticated(&error.to_string()))?;
        let token = bearer.ok_or_else(|| unauthenticated("send `Authorization: Bearer TOKEN`"))?;
        if api.server_keys.contains(token) {
            let header = parts.headers.get(ACTING_FOR).map(|value| value.to_str().ok());
            let user = header.ok_or_else(|| {
                Problem::bad_request("with a server key, `X-Tidings-User` says for which user")
            })?;
            let user_id = user.and_then(|user| UserId::parse(user).ok());
            let user_id = user_id.ok_or_else(|| Problem::bad_request("`X-Tidings-User` is no user id"))?;
            api.gateway.act_for(&user_id).await?;
            return Ok(Self { user_id, sign_in: None, device_id: None, by_server: true });
        }
        let identity = api.gateway.verify(token).await.map_err(|rejected| rejected.problem())?;
        api.gateway.admit(&identity).await.map_err(|rejected| match rejected.problem() {
            // The token's own user is gone: the token is no good.
            problem if problem.code == ErrorCode::NotFound => unauthenticated("there is no such user"),
            problem => problem,
        })?;
        Ok(Self {
            user_id: identity.user_id,
            sign_in: identity.sign_in,
            device_id: identity.device_id,
            by_server: false,
        })
    }
}

/// An application's backend, by its server key.
#[derive(Debug)]
pub struct Backend;

impl FromRequestParts<Api> for Backend {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        if let Ok(Some(key)) = auth::bearer(&parts.headers)
            && api.server_keys.contains(key)
        {
            return Ok(Self);
        }
        // Whoever shows no good token either hears that first.
        Caller::from_request_parts(parts, api).await?;
        Err(Problem::new(ErrorCode::Forbidden, "this is for application backends with a server key"))
    }
}
