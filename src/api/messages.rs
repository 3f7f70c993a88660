//! `/v1/conversations/{id}/messages` and `/v1/messages`: history, and sending without a socket.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::caller::Caller;
use super::extract::{Json, Path, Query};
use crate::gateway::Problem;
use crate::gateway::commands::{Destination, Draft, range};
use crate::model::{ClientId, ConversationId, PushOverride, Seq, UserId};
use crate::protocol::{ErrorCode, Message, encode_part};
use crate::push::payload::{ServerPush, ServerPushError};

#[derive(Deserialize, IntoParams)]
pub struct HistoryQuery {
    before: Option<Seq>,
    after: Option<Seq>,
    limit: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub struct MessageList {
    #[schema(value_type = Vec<Message>)]
    messages: Vec<Box<RawValue>>,
    has_more: bool,
    first_seq: Seq,
}

/// History: before a seq, after one, or the end.
#[utoipa::path(get, path = "/v1/conversations/{id}/messages",
    params(("id" = ConversationId, Path), HistoryQuery), responses((status = 200, body = MessageList)))]
pub async fn list(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<ConversationId>,
    Query(query): Query<HistoryQuery>,
) -> Result<axum::Json<MessageList>, Problem> {
    let range = range(query.before, query.after)?;
    let page = api.gateway.history(id, &caller.user_id, range, query.limit).await?;
    Ok(axum::Json(MessageList {
        messages: page.entries.iter().map(|entry| encode_part(&Message::from(entry))).collect(),
        has_more: page.has_more,
        first_seq: page.first_seq,
    }))
}

#[derive(Deserialize, ToSchema)]
pub struct SendRequest {
    to: Option<UserId>,
    client_id: ClientId,
    text: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<serde_json::Value>)]
    data: Option<Box<RawValue>>,
    reply_to: Option<Seq>,
    #[serde(default)]
    mentions: Vec<UserId>,
    push: Option<serde_json::Value>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

/// Durable, will get a seq.
#[derive(Serialize, ToSchema)]
pub struct AcceptedBody {
    client_id: ClientId,
    conversation_id: ConversationId,
}

/// Sends a message; 202 when it is durable.
#[utoipa::path(post, path = "/v1/conversations/{id}/messages", params(("id" = ConversationId, Path)),
    responses((status = 202, body = AcceptedBody), (status = 429)))]
pub async fn send(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<ConversationId>,
    Json(request): Json<SendRequest>,
) -> Result<(StatusCode, axum::Json<AcceptedBody>), Problem> {
    api.send(caller, Destination::Conversation(id), request).await
}

/// Sends a message to a user; 202 when it is durable.
#[utoipa::path(post, path = "/v1/messages",
    responses((status = 202, body = AcceptedBody), (status = 404), (status = 429)))]
pub async fn send_to_user(
    State(api): State<Api>,
    caller: Caller,
    Json(mut request): Json<SendRequest>,
) -> Result<(StatusCode, axum::Json<AcceptedBody>), Problem> {
    let to = request.to.take().ok_or_else(|| Problem::bad_request("`to` says to whom"))?;
    api.send(caller, Destination::User(to), request).await
}

/// What an application's backend says about the push; checked here, because nobody would hear of it later.
fn server_push(caller: &Caller, push: &serde_json::Value) -> Result<PushOverride, Problem> {
    if !caller.by_server {
        let message = "`push` is for application backends with a server key";
        return Err(Problem::new(ErrorCode::Forbidden, message));
    }
    match ServerPush::parse(push) {
        Ok(push) => Ok(push.into()),
        Err(error @ (ServerPushError::DataTooLarge | ServerPushError::TextTooLarge)) => {
            Err(Problem::new(ErrorCode::TooLarge, error.to_string()))
        }
        Err(error @ (ServerPushError::Malformed(_) | ServerPushError::ReservedName(_))) => {
            Err(Problem::bad_request(error.to_string()))
        }
    }
}

impl Api {
    async fn send(
        &self,
        caller: Caller,
        destination: Destination,
        request: SendRequest,
    ) -> Result<(StatusCode, axum::Json<AcceptedBody>), Problem> {
        let push = request.push.map(|push| server_push(&caller, &push)).transpose()?;
        let draft = Draft {
            destination,
            client_id: request.client_id,
            text: request.text,
            data: request.data,
            reply_to: request.reply_to,
            mentions: request.mentions,
            push,
        };
        if !caller.by_server {
            self.gateway.charge(&caller.user_id)?;
        }
        let client_id = draft.client_id;
        let conversation_id = self.gateway.send(&caller.asking(), draft).await?;
        Ok((StatusCode::ACCEPTED, axum::Json(AcceptedBody { client_id, conversation_id })))
    }
}
