//! `/v1/conversations/{id}/messages/{seq}/trace`: where a message is.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::caller::{Backend, Caller};
use super::extract::{Path, Query};
use crate::fanout::Acknowledgement;
use crate::gateway::Problem;
use crate::model::{
    ClientId, ConversationId, Device, DeviceId, EntryKind, Member, MessageId, Platform, Seq, Timestamp,
    UserId,
};
use crate::protocol::ErrorCode;
use crate::store::PushTrace;

/// Members in one answer.
const PAGE: usize = 100;

#[derive(Deserialize, IntoParams)]
pub struct TraceQuery {
    after: Option<UserId>,
}

/// What is not known (any more) is left out.
#[derive(Serialize, ToSchema)]
pub struct Trace {
    conversation_id: ConversationId,
    seq: Seq,
    message_id: MessageId,
    sender_id: UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<ClientId>,
    kind: EntryKind,
    /// The sender's gateway read it; it was `accepted` when the queue had it, a moment later.
    received_at: Timestamp,
    /// A worker took it up and gave it its id; it was stored a moment later.
    #[serde(skip_serializing_if = "Option::is_none")]
    storing_at: Option<Timestamp>,
    /// It came from the fan-out to the gateway that answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    fanned_out_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<Timestamp>,
    members: Vec<MemberTrace>,
    /// Send it as `after` for the next members.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<UserId>,
    /// Parts that could not be looked up now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unavailable: Vec<&'static str>,
}

#[derive(Serialize, ToSchema)]
struct MemberTrace {
    user_id: UserId,
    /// One of their devices has it.
    delivered: bool,
    read: bool,
    devices: Vec<DeviceTrace>,
}

#[derive(Serialize, Default, ToSchema)]
struct DeviceTrace {
    /// Missing for sockets that named no device.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<DeviceId>,
    /// Registered for push now.
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<Platform>,
    acknowledged: bool,
    /// While the application was in the foreground.
    foreground: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    push: Option<PushSeen>,
}

#[derive(Serialize, ToSchema)]
struct PushSeen {
    decision: String,
    decided_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    answered_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    /// Of one that was sent, which it is only to a device that has not acknowledged: whether it has since.
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged_after: Option<bool>,
}

/// A backend; in `dev` also a member, for the page shows it.
pub enum Viewer {
    Backend,
    User(UserId),
}

impl FromRequestParts<Api> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        match Backend::from_request_parts(parts, api).await {
            Ok(Backend) => Ok(Self::Backend),
            Err(problem) if problem.code == ErrorCode::Forbidden && api.push.members_trace => {
                let caller = Caller::from_request_parts(parts, api).await?;
                Ok(Self::User(caller.user_id))
            }
            Err(problem) => Err(problem),
        }
    }
}

/// Where a message is: stored, fanned out, acknowledged, pushed, answered by the provider.
#[utoipa::path(get, path = "/v1/conversations/{id}/messages/{seq}/trace", params(TraceQuery),
    security(("server_key" = [])), responses((status = 200, body = Trace)))]
pub async fn read(
    State(api): State<Api>,
    viewer: Viewer,
    Path((id, seq)): Path<(ConversationId, Seq)>,
    Query(query): Query<TraceQuery>,
) -> Result<axum::Json<Trace>, Problem> {
    let nothing = || Problem::new(ErrorCode::NotFound, "there is no such message");
    let store = &api.gateway.store;
    if let Viewer::User(user) = &viewer {
        store.target(id, user, seq).await?.ok_or_else(nothing)?;
    }
    let entry = store.entries(&[(id, seq)]).await?.pop().flatten().ok_or_else(nothing)?;
    let members = store.members(id, query.after.as_ref(), PAGE).await?;
    let next = (members.len() == PAGE).then(|| members.last().map(|last| last.user_id.clone())).flatten();
    let users: Vec<UserId> = members.iter().map(|member| member.user_id.clone()).collect();
    let registered = store.devices_of(&users).await?;
    let pushes = store.pushes_of(id, seq).await?;
    let (acknowledged, unavailable) = api.acknowledged(id, users).await;
    let members = members
        .into_iter()
        .zip(registered)
        .zip(acknowledged)
        .map(|((member, registered), acknowledged)| {
            member_trace(member, seq, registered, acknowledged, &pushes)
        })
        .collect();
    Ok(axum::Json(Trace {
        conversation_id: id,
        seq,
        message_id: entry.id,
        sender_id: entry.sender_id,
        client_id: entry.client_id,
        kind: entry.kind,
        received_at: entry.created_at,
        storing_at: entry.id.made_at(),
        fanned_out_at: api.gateway.came_at(id, seq),
        deleted_at: entry.deleted_at,
        members,
        next,
        unavailable,
    }))
}

impl Api {
    /// What the devices of each of these users acknowledged. That this cannot be read now does not hide the rest.
    async fn acknowledged(
        &self,
        id: ConversationId,
        users: Vec<UserId>,
    ) -> (Vec<Vec<Acknowledgement>>, Vec<&'static str>) {
        let of: Vec<_> = users.into_iter().map(|user| (user, id)).collect();
        match self.gateway.fanout.acknowledged(&of).await {
            Ok(acknowledged) => (acknowledged, Vec::new()),
            Err(error) => {
                tracing::warn!(%error, "api.trace");
                (vec![Vec::new(); of.len()], vec!["acknowledged"])
            }
        }
    }
}

fn member_trace(
    member: Member,
    seq: Seq,
    registered: Vec<Device>,
    acknowledged: Vec<Acknowledgement>,
    pushes: &[PushTrace],
) -> MemberTrace {
    let mut devices: BTreeMap<Option<DeviceId>, DeviceTrace> = BTreeMap::new();
    for device in registered {
        devices.entry(Some(device.device_id)).or_default().platform = Some(device.platform);
    }
    for one in acknowledged {
        let device = devices.entry(one.device_id).or_default();
        device.acknowledged |= one.seq >= seq;
        device.foreground |= one.seq >= seq && one.foreground;
    }
    for push in pushes.iter().filter(|push| push.user_id == member.user_id) {
        let device = devices.entry(Some(push.device_id.clone())).or_default();
        device.push = Some(push_seen(push, device.acknowledged));
    }
    MemberTrace {
        delivered: member.delivered_seq >= seq,
        read: member.read_seq >= seq,
        user_id: member.user_id,
        devices: devices.into_iter().map(|(device_id, device)| DeviceTrace { device_id, ..device }).collect(),
    }
}

fn push_seen(push: &PushTrace, acknowledged: bool) -> PushSeen {
    PushSeen {
        decision: push.decision.clone(),
        decided_at: push.decided_at,
        provider: push.provider.clone(),
        attempts: push.attempts,
        answered_at: push.answered_at,
        status: push.status,
        answer: push.answer.clone(),
        acknowledged_after: (push.decision == "sent").then_some(acknowledged),
    }
}
