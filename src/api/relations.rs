//! `/v1/contacts` and `/v1/blocks`: who may see one's presence, and who may not write to one.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::caller::Caller;
use super::extract::Path;
use super::me::no_user;
use crate::gateway::Problem;
use crate::model::{Event, EventBody, Target, UserId};
use crate::protocol::ErrorCode;
use crate::store::Relation;

#[derive(Serialize, ToSchema)]
pub struct Related {
    user_id: UserId,
}

#[derive(Serialize, ToSchema)]
pub struct ContactList {
    contacts: Vec<Related>,
}

#[derive(Serialize, ToSchema)]
pub struct BlockList {
    blocks: Vec<Related>,
}

/// Whom one added: they may see when one is online.
#[utoipa::path(get, path = "/v1/contacts", responses((status = 200, body = ContactList)))]
pub async fn contacts(State(api): State<Api>, caller: Caller) -> Result<axum::Json<ContactList>, Problem> {
    Ok(axum::Json(ContactList { contacts: list(&api, Relation::Contact, &caller).await? }))
}

/// Whom one blocked: they cannot write to one directly.
#[utoipa::path(get, path = "/v1/blocks", responses((status = 200, body = BlockList)))]
pub async fn blocks(State(api): State<Api>, caller: Caller) -> Result<axum::Json<BlockList>, Problem> {
    Ok(axum::Json(BlockList { blocks: list(&api, Relation::Block, &caller).await? }))
}

/// Whether a user is on the list; 404 when not.
#[utoipa::path(get, path = "/v1/contacts/{user_id}", params(("user_id" = UserId, Path)), responses((status = 200, body = Related)))]
pub async fn contact(
    State(api): State<Api>,
    caller: Caller,
    Path(other): Path<UserId>,
) -> Result<axum::Json<Related>, Problem> {
    read(&api, Relation::Contact, &caller, other).await
}

/// Adds a user to the list.
#[utoipa::path(put, path = "/v1/contacts/{user_id}", params(("user_id" = UserId, Path)), responses((status = 204)))]
pub async fn add_contact(
    State(api): State<Api>,
    caller: Caller,
    Path(other): Path<UserId>,
) -> Result<StatusCode, Problem> {
    add(&api, Relation::Contact, caller, other).await
}

/// Takes a user off the list.
#[utoipa::path(delete, path = "/v1/contacts/{user_id}", params(("user_id" = UserId, Path)), responses((status = 204)))]
pub async fn remove_contact(
    State(api): State<Api>,
    caller: Caller,
    Path(other): Path<UserId>,
) -> Result<StatusCode, Problem> {
    remove(&api, Relation::Contact, caller, other).await
}

/// Whether a user is on the list; 404 when not.
#[utoipa::path(get, path = "/v1/blocks/{user_id}", params(("user_id" = UserId, Path)), responses((status = 200, body = Related)))]
pub async fn block(
    State(api): State<Api>,
    caller: Caller,
    Path(other): Path<UserId>,
) -> Result<axum::Json<Related>, Problem> {
    read(&api, Relation::Block, &caller, other).await
}

/// Adds a user to the list.
#[utoipa::path(put, path = "/v1/blocks/{user_id}", params(("user_id" = UserId, Path)), responses((status = 204)))]
pub async fn add_block(
    State(api): State<Api>,
    caller: Caller,
    Path(other): Path<UserId>,
) -> Result<StatusCode, Problem> {
    add(&api, Relation::Block, caller, other).await
}

/// Takes a user off the list.
#[utoipa::path(delete, path = "/v1/blocks/{user_id}", params(("user_id" = UserId, Path)), responses((status = 204)))]
pub async fn remove_block(
    State(api): State<Api>,
    caller: Caller,
    Path(other): Path<UserId>,
) -> Result<StatusCode, Problem> {
    remove(&api, Relation::Block, caller, other).await
}

async fn list(api: &Api, relation: Relation, caller: &Caller) -> Result<Vec<Related>, Problem> {
    let related = api.gateway.store.relations(relation, &caller.user_id).await?;
    Ok(related.into_iter().map(|user_id| Related { user_id }).collect())
}

async fn read(
    api: &Api,
    relation: Relation,
    caller: &Caller,
    other: UserId,
) -> Result<axum::Json<Related>, Problem> {
    if api.gateway.store.is_related(relation, &caller.user_id, &other).await? {
        return Ok(axum::Json(Related { user_id: other }));
    }
    Err(Problem::new(ErrorCode::NotFound, "this user is not on the list"))
}

async fn add(api: &Api, relation: Relation, caller: Caller, other: UserId) -> Result<StatusCode, Problem> {
    if other == caller.user_id {
        return Err(Problem::bad_request("this is you"));
    }
    if !api.gateway.store.add_relation(relation, &caller.user_id, &other).await? {
        return Err(no_user());
    }
    changed(api, relation, caller.user_id, other).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove(api: &Api, relation: Relation, caller: Caller, other: UserId) -> Result<StatusCode, Problem> {
    if !api.gateway.store.remove_relation(relation, &caller.user_id, &other).await? {
        return Err(Problem::new(ErrorCode::NotFound, "this user is not on the list"));
    }
    changed(api, relation, caller.user_id, other).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Gateways decide about direct messages by what they remember of blocks.
async fn changed(api: &Api, relation: Relation, user: UserId, other: UserId) {
    if relation == Relation::Block {
        let target = Target::Users(vec![user, other]);
        api.gateway.announce(Event { target, body: EventBody::Forget }).await;
    }
}
