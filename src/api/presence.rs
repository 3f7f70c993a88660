//! `/v1/presence`: who is there now.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::caller::Caller;
use super::extract::Query;
use super::users::ids;
use crate::gateway::Problem;
use crate::model::Presence;

/// Users in one request.
const MAX_IDS: usize = 100;

#[derive(Deserialize, IntoParams)]
pub struct PresenceQuery {
    /// Separated by commas.
    user_ids: String,
}

#[derive(Serialize, ToSchema)]
pub struct PresenceList {
    presence: Vec<Presence>,
}

/// Who is online, of those whose presence one may see.
#[utoipa::path(get, path = "/v1/presence", params(PresenceQuery), responses((status = 200, body = PresenceList)))]
pub async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<PresenceQuery>,
) -> Result<axum::Json<PresenceList>, Problem> {
    let users = ids(&query.user_ids, MAX_IDS)?;
    let visible = api.gateway.visible(&caller.user_id, &users).await?;
    Ok(axum::Json(PresenceList { presence: api.gateway.presence_of(&users, &visible).await? }))
}
