//! `/v1/conversations`: list, make, read, retitle.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::caller::Caller;
use super::extract::{Json, Path, Query};
use crate::gateway::Problem;
use crate::gateway::access::Action;
use crate::model::{
    Body, ClientId, Conversation, ConversationId, ConversationKind, EntryKind, Event, EventBody, NewEntry,
    Seq, Stamp, Target, Timestamp, UserId,
};
use crate::protocol::ErrorCode;
use crate::store::{Created, NewGroup, PageOf};

/// Longest title, in characters.
const MAX_TITLE: usize = 256;
const PAGE: usize = 100;

#[derive(Deserialize, IntoParams)]
pub struct ListQuery {
    after: Option<ConversationId>,
}

#[derive(Serialize, ToSchema)]
pub struct ConversationList {
    conversations: Vec<Conversation>,
    /// Send it as `after` for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<ConversationId>,
}

/// The conversations that one is a member of, a page at a time.
#[utoipa::path(get, path = "/v1/conversations", params(ListQuery), responses((status = 200, body = ConversationList)))]
pub async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<axum::Json<ConversationList>, Problem> {
    let page = PageOf { user_id: caller.user_id, after: query.after, limit: PAGE };
    let conversations = api.gateway.store.conversations_of(&[page]).await?.pop().unwrap_or_default();
    let next = (conversations.len() == PAGE).then(|| conversations.last().map(|last| last.id)).flatten();
    Ok(axum::Json(ConversationList { conversations, next }))
}

#[derive(Deserialize, ToSchema)]
pub struct NewConversationRequest {
    kind: ConversationKind,
    user_id: Option<UserId>,
    title: Option<String>,
    #[serde(default)]
    member_ids: Vec<UserId>,
    client_id: Option<ClientId>,
}

/// Makes a conversation. 200 when it was there already: the direct one, or a retry with the same `client_id`.
#[utoipa::path(post, path = "/v1/conversations",
    responses((status = 201, body = Conversation), (status = 200, body = Conversation), (status = 404)))]
pub async fn create(
    State(api): State<Api>,
    caller: Caller,
    Json(request): Json<NewConversationRequest>,
) -> Result<(StatusCode, axum::Json<Conversation>), Problem> {
    let created = match request.kind {
        ConversationKind::Direct => api.create_direct(&caller, request).await?,
        ConversationKind::Group | ConversationKind::Channel => api.create_group(&caller, request).await?,
    };
    let (status, id) = match created {
        Created::New(id) => (StatusCode::CREATED, id),
        Created::Existed(id) => (StatusCode::OK, id),
        Created::UnknownUser(user) => {
            return Err(Problem::new(ErrorCode::NotFound, format!("there is no user `{user}`")));
        }
    };
    let conversation = api.conversation(id, &caller.user_id).await?;
    Ok((status, axum::Json(conversation)))
}

impl Api {
    async fn create_direct(
        &self,
        caller: &Caller,
        request: NewConversationRequest,
    ) -> Result<Created, Problem> {
        let peer =
            request.user_id.ok_or_else(|| Problem::bad_request("a direct conversation needs `user_id`"))?;
        if peer == caller.user_id {
            return Err(Problem::bad_request("nobody has a conversation with themselves"));
        }
        let provision = self.gateway.settings.auto_provision;
        let made =
            self.gateway.store.create_direct(&caller.user_id, &peer, provision, Timestamp::now()).await?;
        if let Created::New(id) = made {
            self.announce_conversation(id, vec![caller.user_id.clone(), peer]).await;
        }
        Ok(made)
    }

    async fn create_group(
        &self,
        caller: &Caller,
        request: NewConversationRequest,
    ) -> Result<Created, Problem> {
        let title = request.title.ok_or_else(|| Problem::bad_request("a group needs a `title`"))?;
        check_title(&title)?;
        let most = self.gateway.settings.gateway.members_max;
        if request.member_ids.len() > most {
            return Err(Problem::bad_request(format!(
                "`member_ids` are at most {most}; add more afterwards"
            )));
        }
        let group = NewGroup {
            id: ConversationId::new(),
            kind: request.kind,
            title,
            creator: caller.user_id.clone(),
            members: request.member_ids,
            client_id: request.client_id,
            provision: self.gateway.settings.auto_provision,
            created_at: Timestamp::now(),
        };
        let made = self.gateway.store.create_group(&group).await?;
        if let Created::New(id) = made {
            let mut users = group.members;
            users.push(group.creator);
            users.sort_unstable();
            users.dedup();
            // Before anybody can write in it: its members' gateways get what is written from its first message on.
            if let Err(error) = self.gateway.fanout.bring_groups(&[(id, users.clone())]).await {
                tracing::warn!(%error, "api.route_group");
            }
            self.announce_conversation(id, users).await;
        }
        Ok(made)
    }

    /// Tells these members' gateways of a conversation that is new, or that they now see differently.
    pub async fn announce_conversation(&self, id: ConversationId, users: Vec<UserId>) {
        let stamp = Stamp { conversation_id: id, seq: Seq::ZERO, members_seq: Seq::ZERO };
        let body = EventBody::Conversation { stamp, removed: false };
        self.gateway.announce(Event { target: Target::Users(users), body }).await;
    }

    /// The conversation as a member sees it.
    pub async fn conversation(&self, id: ConversationId, user: &UserId) -> Result<Conversation, Problem> {
        let seen = self.gateway.store.conversation_for(id, std::slice::from_ref(user)).await?;
        seen.into_iter().next().flatten().ok_or_else(Problem::no_conversation)
    }
}

fn check_title(title: &str) -> Result<(), Problem> {
    let length = title.chars().count();
    if length == 0 || length > MAX_TITLE || title.chars().any(char::is_control) {
        return Err(Problem::bad_request(format!(
            "a title is 1 to {MAX_TITLE} characters without control characters"
        )));
    }
    Ok(())
}

/// A conversation as one sees it.
#[utoipa::path(get, path = "/v1/conversations/{id}", params(("id" = ConversationId, Path)), responses((status = 200, body = Conversation)))]
pub async fn read(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<ConversationId>,
) -> Result<axum::Json<Conversation>, Problem> {
    Ok(axum::Json(api.conversation(id, &caller.user_id).await?))
}

#[derive(Deserialize, ToSchema)]
pub struct TitleRequest {
    title: String,
    client_id: Option<ClientId>,
}

/// Changes the title.
#[utoipa::path(patch, path = "/v1/conversations/{id}", params(("id" = ConversationId, Path)),
    responses((status = 200, body = Conversation), (status = 409)))]
pub async fn change(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<ConversationId>,
    Json(request): Json<TitleRequest>,
) -> Result<axum::Json<Conversation>, Problem> {
    check_title(&request.title)?;
    api.gateway.access.check(id, &caller.asking(), Action::Manage).await?;
    let body = Body { text: Some(request.title), ..Body::default() };
    let entry = NewEntry::managing(id, &caller.user_id, request.client_id, EntryKind::TitleChanged, body);
    api.gateway.store_entry(entry).await?;
    Ok(axum::Json(api.conversation(id, &caller.user_id).await?))
}
