//! `/v1/users`: public profiles, and what an application's backend does with its users.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::Api;
use super::caller::{Backend, Caller};
use super::extract::{Json, Path, Query};
use super::me::{ProfileRequest, no_user};
use crate::gateway::Problem;
use crate::model::{Event, EventBody, Profile, Target, Timestamp, UserId};

/// Users in one request.
const MAX_IDS: usize = 100;

#[derive(Deserialize)]
pub struct ListQuery {
    /// Separated by commas.
    ids: String,
}

#[derive(Serialize)]
pub struct UserList {
    users: Vec<Profile>,
}

/// `GET /v1/users?ids=`
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

/// `PUT /v1/users/{id}`
pub async fn put(
    State(api): State<Api>,
    _: Backend,
    Path(id): Path<UserId>,
    Json(request): Json<ProfileRequest>,
) -> Result<axum::Json<Profile>, Problem> {
    Ok(axum::Json(api.gateway.store.provision(&id, &request.change()?).await?))
}

/// `GET /v1/users/{id}`
pub async fn read(
    State(api): State<Api>,
    _: Backend,
    Path(id): Path<UserId>,
) -> Result<axum::Json<Profile>, Problem> {
    let profile = api.gateway.store.profiles(std::slice::from_ref(&id)).await?.pop();
    profile.map(axum::Json).ok_or_else(no_user)
}

#[derive(Deserialize)]
pub struct RemoveQuery {
    #[serde(default)]
    erase: bool,
}

/// `DELETE /v1/users/{id}`
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

/// `POST /v1/users/{id}/revoke`
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
