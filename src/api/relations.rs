//! `/v1/contacts` and `/v1/blocks`: who may see one's presence, and who may not write to one.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use super::Api;
use super::caller::Caller;
use super::extract::Path;
use super::me::no_user;
use crate::gateway::Problem;
use crate::model::{Event, EventBody, Target, UserId};
use crate::protocol::ErrorCode;
use crate::store::Relation;

#[derive(Serialize)]
pub struct Related {
    user_id: UserId,
}

#[derive(Serialize)]
pub struct ContactList {
    contacts: Vec<Related>,
}

#[derive(Serialize)]
pub struct BlockList {
    blocks: Vec<Related>,
}

/// `GET /v1/contacts`
pub async fn contacts(State(api): State<Api>, caller: Caller) -> Result<axum::Json<ContactList>, Problem> {
    Ok(axum::Json(ContactList { contacts: list(&api, Relation::Contact, &caller).await? }))
}

/// `GET /v1/blocks`
pub async fn blocks(State(api): State<Api>, caller: Caller) -> Result<axum::Json<BlockList>, Problem> {
    Ok(axum::Json(BlockList { blocks: list(&api, Relation::Block, &caller).await? }))
}

/// `GET /v1/contacts/{user_id}`
pub async fn contact(
    State(api): State<Api>,
    caller: Caller,
    Path(other): Path<UserId>,
) -> Result<axum::Json<Related>, Problem> {
    read(&api, Relation::Contact, &caller, other).await
}

/// `PUT /v1/contacts/{user_id}`
pub async fn add_contact(
    State(api): State<Api>,
    caller: Caller,
    Path(other): Path<UserId>,
) -> Result<StatusCode, Problem> {
    add(&api, Relation::Contact, caller, other).await
}

/// `DELETE /v1/contacts/{user_id}`
pub async fn remove_contact(
    State(api): State<Api>,
    caller: Caller,
    Path(other): Path<UserId>,
) -> Result<StatusCode, Problem> {
    remove(&api, Relation::Contact, caller, other).await
}

/// `GET /v1/blocks/{user_id}`
pub async fn block(
    State(api): State<Api>,
    caller: Caller,
    Path(other): Path<UserId>,
) -> Result<axum::Json<Related>, Problem> {
    read(&api, Relation::Block, &caller, other).await
}

/// `PUT /v1/blocks/{user_id}`
pub async fn add_block(
    State(api): State<Api>,
    caller: Caller,
    Path(other): Path<UserId>,
) -> Result<StatusCode, Problem> {
    add(&api, Relation::Block, caller, other).await
}

/// `DELETE /v1/blocks/{user_id}`
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
