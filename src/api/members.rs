//! `/v1/conversations/{id}/members`: who is in it, and what they wish to be told.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::caller::Caller;
use super::extract::{Json, Path, Query};
use super::me::given;
use crate::gateway::Problem;
use crate::gateway::access::Action;
use crate::model::{
    Body, ClientId, Conversation, ConversationId, EntryKind, Member, NewEntry, Notify, Role, Timestamp,
    UserId,
};
use crate::protocol::ErrorCode;
use crate::store::Preferences;

const PAGE: usize = 100;
const MAX_PAGE: usize = 1000;

#[derive(Deserialize, IntoParams)]
pub struct ListQuery {
    after: Option<UserId>,
    limit: Option<usize>,
}

#[derive(Serialize, ToSchema)]
pub struct MemberList {
    members: Vec<Member>,
    /// Send it as `after` for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<UserId>,
}

/// The members, a page at a time.
#[utoipa::path(get, path = "/v1/conversations/{id}/members",
    params(("id" = ConversationId, Path), ListQuery), responses((status = 200, body = MemberList)))]
pub async fn list(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<ConversationId>,
    Query(query): Query<ListQuery>,
) -> Result<axum::Json<MemberList>, Problem> {
    let limit = query.limit.unwrap_or(PAGE);
    if limit == 0 || limit > MAX_PAGE {
        return Err(Problem::bad_request(format!("`limit` is 1 to {MAX_PAGE}")));
    }
    api.gateway.access.check(id, &caller.asking(), Action::Take).await?;
    let members = api.gateway.store.members(id, query.after.as_ref(), limit).await?;
    let next = (members.len() == limit).then(|| members.last().map(|last| last.user_id.clone())).flatten();
    Ok(axum::Json(MemberList { members, next }))
}

#[derive(Deserialize, ToSchema)]
pub struct AddRequest {
    user_ids: Vec<UserId>,
    role: Option<Role>,
    client_id: Option<ClientId>,
}

/// Adds many members at once, by one entry.
#[utoipa::path(post, path = "/v1/conversations/{id}/members", params(("id" = ConversationId, Path)),
    responses((status = 200, body = Conversation), (status = 409)))]
pub async fn add(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<ConversationId>,
    Json(request): Json<AddRequest>,
) -> Result<axum::Json<Conversation>, Problem> {
    let most = api.gateway.settings.gateway.members_max;
    if request.user_ids.is_empty() || request.user_ids.len() > most {
        return Err(Problem::bad_request(format!("`user_ids` are 1 to {most}")));
    }
    let role = request.role.unwrap_or(Role::Member);
    if role == Role::Owner {
        return Err(Problem::bad_request("a conversation has one owner; make somebody owner afterwards"));
    }
    api.join(&caller, id, request.user_ids, role, request.client_id).await?;
    Ok(axum::Json(api.conversation(id, &caller.user_id).await?))
}

#[derive(Deserialize, ToSchema)]
pub struct PutRequest {
    role: Option<Role>,
}

/// Adds a member, or gives one another role.
#[utoipa::path(put, path = "/v1/conversations/{id}/members/{user_id}",
    responses((status = 200, body = Conversation), (status = 409)))]
pub async fn put(
    State(api): State<Api>,
    caller: Caller,
    Path((id, user_id)): Path<(ConversationId, UserId)>,
    Json(request): Json<PutRequest>,
) -> Result<axum::Json<Conversation>, Problem> {
    let known = api.gateway.access.load(id).await?.ok_or_else(Problem::no_conversation)?;
    match (known.view.role_of(&caller.user_id), known.view.role_of(&user_id)) {
        (None, _) => return Err(Problem::no_conversation()),
        (Some(_), None) => {
            let role = request.role.unwrap_or(Role::Member);
            if role == Role::Owner {
                return Err(Problem::bad_request("somebody who is to be owner is a member first"));
            }
            api.join(&caller, id, vec![user_id.clone()], role, None).await?;
        }
        (Some(_), Some(current)) => {
            if let Some(role) = request.role.filter(|role| *role != current) {
                api.gateway.access.check(id, &caller.asking(), Action::Manage).await?;
                let body = Body { user_ids: vec![user_id.clone()], role: Some(role), ..Body::default() };
                let entry = NewEntry::managing(id, &caller.user_id, None, EntryKind::RoleChanged, body);
                api.gateway.store_entry(entry).await?;
            }
        }
    }
    Ok(axum::Json(api.conversation(id, &caller.user_id).await?))
}

/// Removes a member; of oneself: leaves.
#[utoipa::path(delete, path = "/v1/conversations/{id}/members/{user_id}",
    responses((status = 204), (status = 409)))]
pub async fn remove(
    State(api): State<Api>,
    caller: Caller,
    Path((id, user_id)): Path<(ConversationId, UserId)>,
) -> Result<StatusCode, Problem> {
    let action = if user_id == caller.user_id { Action::Leave } else { Action::Manage };
    let known = api.gateway.access.check(id, &caller.asking(), action).await?;
    let present = known.view.role_of(&user_id).is_some() || {
        let fresh = api.gateway.access.load(id).await?;
        fresh.is_some_and(|known| known.view.role_of(&user_id).is_some())
    };
    if !present {
        return Err(Problem::new(ErrorCode::NotFound, "there is no such member"));
    }
    let body = Body { user_ids: vec![user_id], ..Body::default() };
    let entry = NewEntry::managing(id, &caller.user_id, None, EntryKind::MemberLeft, body);
    api.gateway.store_entry(entry).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
pub struct PreferencesRequest {
    notify: Option<Notify>,
    #[serde(default, deserialize_with = "given")]
    muted_until: Option<Option<Timestamp>>,
}

/// What of a conversation is to ring.
#[utoipa::path(patch, path = "/v1/conversations/{id}/members/me", params(("id" = ConversationId, Path)),
    responses((status = 200, body = Conversation)))]
pub async fn prefer(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<ConversationId>,
    Json(request): Json<PreferencesRequest>,
) -> Result<axum::Json<Conversation>, Problem> {
    let preferences = Preferences { notify: request.notify, muted_until: request.muted_until };
    if !api.gateway.store.set_preferences(id, &caller.user_id, &preferences).await? {
        return Err(Problem::no_conversation());
    }
    // The user's other devices show it too.
    api.announce_conversation(id, vec![caller.user_id.clone()]).await;
    Ok(axum::Json(api.conversation(id, &caller.user_id).await?))
}

impl Api {
    async fn join(
        &self,
        caller: &Caller,
        id: ConversationId,
        user_ids: Vec<UserId>,
        role: Role,
        client_id: Option<ClientId>,
    ) -> Result<(), Problem> {
        self.gateway.access.check(id, &caller.asking(), Action::Manage).await?;
        let body = Body { user_ids, role: Some(role), ..Body::default() };
        let entry = NewEntry {
            provision: self.gateway.settings.auto_provision,
            ..NewEntry::managing(id, &caller.user_id, client_id, EntryKind::MemberJoined, body)
        };
        match self.gateway.store_entry(entry).await {
            Ok(_) => Ok(()),
            // They are all members already: that is what was asked for.
            Err(problem) if problem.code == ErrorCode::Conflict => Ok(()),
            Err(problem) => Err(problem),
        }
    }
}
