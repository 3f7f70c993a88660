//! `POST /v1/ack`: a notification extension says that a push arrived.

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Api;
use super::caller::Caller;
use super::extract::Json;
use crate::auth::{self, AckScope};
use crate::gateway::Problem;
use crate::model::{ConversationId, DeviceId, Seq, UserId};
use crate::protocol::ErrorCode;

/// With the token of a push all of it may be missing: the token says it.
#[derive(Deserialize, ToSchema)]
pub struct AckRequest {
    conversation_id: Option<ConversationId>,
    seq: Option<Seq>,
    device_id: Option<DeviceId>,
}

/// Who acknowledges: a user as anywhere else, or the holder of a push's token.
pub struct Acknowledger {
    user_id: UserId,
    /// What the token is bound to.
    device_id: Option<DeviceId>,
    scope: Option<AckScope>,
}

impl FromRequestParts<Api> for Acknowledger {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let bearer = auth::bearer(&parts.headers).ok().flatten();
        let Some(token) = bearer.filter(|token| !api.server_keys.contains(token)) else {
            // A backend for a user, or nobody.
            let caller = Caller::from_request_parts(parts, api).await?;
            return Ok(Self { user_id: caller.user_id, device_id: None, scope: None });
        };
        let (identity, scope) = api.gateway.verify_ack(token).await.map_err(|rejected| rejected.problem())?;
        api.gateway.admit(&identity).await.map_err(|rejected| match rejected.problem() {
            problem if problem.code == ErrorCode::NotFound => {
                Problem::new(ErrorCode::Unauthenticated, "there is no such user")
            }
            problem => problem,
        })?;
        Ok(Self { user_id: identity.user_id, device_id: identity.device_id, scope })
    }
}

/// A notification extension says that a push arrived, with the token that the push brought or a user's.
#[utoipa::path(post, path = "/v1/ack", responses((status = 204), (status = 404)))]
pub async fn acknowledge(
    State(api): State<Api>,
    acknowledger: Acknowledger,
    Json(request): Json<AckRequest>,
) -> Result<StatusCode, Problem> {
    let (id, seq) = acknowledger.position(&request)?;
    let device = acknowledger.device(request.device_id)?;
    api.gateway.acknowledge_in_background(&acknowledger.user_id, &device, id, seq).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Acknowledger {
    /// A push's token is for its conversation, up to its message.
    fn position(&self, request: &AckRequest) -> Result<(ConversationId, Seq), Problem> {
        let scope =
            self.scope.map(|scope| (ConversationId::from_uuid(scope.conversation_id), Seq::new(scope.seq)));
        let missing = || Problem::bad_request("`conversation_id` and `seq` say what arrived");
        let id = request.conversation_id.or(scope.map(|(id, _)| id)).ok_or_else(missing)?;
        let seq = request.seq.or(scope.map(|(_, seq)| seq)).ok_or_else(missing)?;
        if seq < Seq::new(1) {
            return Err(Problem::bad_request("`seq` begins at 1"));
        }
        match scope {
            Some((scope_id, scope_seq)) if id != scope_id || seq > scope_seq => {
                Err(Problem::new(ErrorCode::Forbidden, "this token is for another message"))
            }
            _ => Ok((id, seq)),
        }
    }

    fn device(&self, named: Option<DeviceId>) -> Result<DeviceId, Problem> {
        match (&self.device_id, named) {
            (Some(bound), Some(named)) if *bound != named => {
                Err(Problem::new(ErrorCode::Forbidden, "this token is of another device"))
            }
            (Some(bound), _) => Ok(bound.clone()),
            (None, Some(named)) => Ok(named),
            (None, None) => Err(Problem::bad_request("`device_id` says which device has it")),
        }
    }
}
