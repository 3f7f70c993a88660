//! `/v1/users`: public profiles, and what an application's backend does with its users.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::caller::{Backend, Caller};
use super::extract::{Json, Path, Query};
use super::me::{ProfileRequest, no_user};
use crate::gateway::Problem;
use crate::model::{Event, EventBody, Profile, Target, Timestamp, UserId};

/// Users in one request.
const MAX_IDS: usize = 100;

#[derive(Deserialize, IntoParams)]
pub struct ListQuery {
    /// Separated by commas.
    ids: String,
}

#[derive(Serialize, ToSchema)]
pub struct UserList {
    users: Vec<Profile>,
}

/// Public profiles.
#[utoipa::path(get, path = "/v1/users", params(ListQuery), responses((status = 200, body = UserList)))]
pub async fn list(
    State(api): State<Api>,
    _: Caller,
    Query(query): Query<ListQuery>,
) -> Result<axum::Json<UserList>, Problem> {
    let ids = ids(&query.ids, MAX_IDS)?;
    Ok(axum::Json(UserList { users: api.gateway.store.profiles(&ids).await? }))
}

/// User ids separated by commas.
pub fn ids(list: &str, most: usize) -> Result<Vec<UserId>, Problem> {
    let ids: Result<Vec<UserId>, _> = list.split(',').map(UserId::parse).collect();
    match ids {
        Ok(ids) if ids.len() <= most => Ok(ids),
        Ok(_) => Err(Problem::bad_request(format!("at most {most} user ids"))),
        Err(error) => Err(Problem::bad_request(error.to_string())),
    }
}

/// Makes a user or changes their profile; one who was deactivated is back.
#[utoipa::path(put, path = "/v1/users/{id}", params(("id" = UserId, Path)), security(("server_key" = [])),
    responses((status = 200, body = Profile)))]
pub async fn put(
    State(api): State<Api>,
    _: Backend,
    Path(id): Path<UserId>,
    Json(request): Json<ProfileRequest>,
) -> Result<axum::Json<Profile>, Problem> {
    Ok(axum::Json(api.gateway.store.provision(&id, &request.change()?).await?))
}

/// A profile.
#[utoipa::path(get, path = "/v1/users/{id}", params(("id" = UserId, Path)), security(("server_key" = [])),
    responses((status = 200, body = Profile)))]
pub async fn read(
    State(api): State<Api>,
    _: Backend,
    Path(id): Path<UserId>,
) -> Result<axum::Json<Profile>, Problem> {
    let profile = api.gateway.store.profiles(std::slice::from_ref(&id)).await?.pop();
    profile.map(axum::Json).ok_or_else(no_user)
}

#[derive(Deserialize, IntoParams)]
pub struct RemoveQuery {
    #[serde(default)]
    erase: bool,
}

/// Deactivates a user, or erases the person: profile, devices, contacts, and the text of their messages.
#[utoipa::path(delete, path = "/v1/users/{id}",
    params(("id" = UserId, Path), RemoveQuery), security(("server_key" = [])), responses((status = 204)))]
pub async fn remove(
    State(api): State<Api>,
    _: Backend,
    Path(id): Path<UserId>,
    Query(query): Query<RemoveQuery>,
) -> Result<StatusCode, Problem> {
    let store = &api.gateway.store;
    let now = Timestamp::now();
    let there = if query.erase { store.erase(&id, now).await? } else { store.deactivate(&id, now).await? };
    if !there {
        return Err(no_user());
    }
    api.expel(id, true).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Every token issued before now stops working; the sockets close.
#[utoipa::path(post, path = "/v1/users/{id}/revoke", params(("id" = UserId, Path)), security(("server_key" = [])),
    responses((status = 204)))]
pub async fn revoke(
    State(api): State<Api>,
    _: Backend,
    Path(id): Path<UserId>,
) -> Result<StatusCode, Problem> {
    if !api.gateway.store.revoke(&id, Timestamp::now()).await? {
        return Err(no_user());
    }
    api.expel(id, false).await;
    Ok(StatusCode::NO_CONTENT)
}

impl Api {
    /// Closes a user's sockets on every gateway.
    async fn expel(&self, user: UserId, deactivated: bool) {
        let body = EventBody::Expelled { deactivated, session: None };
        self.gateway.announce(Event { target: Target::Users(vec![user]), body }).await;
    }
}
