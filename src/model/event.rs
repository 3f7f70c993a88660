//! Events: what the fan-out carries to gateways.

use bytes::Bytes;

use super::{ClientId, ConversationId, GatewayId, Seq, SessionId, UserId};

/// Something that sockets, or their gateways, are to hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub target: Target,
    pub body: EventBody,
}

/// Whom an event is for, and so which route finds their gateways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// These users, by their own routes.
    Users(Vec<UserId>),
    /// The members of a group, by its route, and beside them users by their own routes: those
    /// who just joined and those who just left.
    Group(ConversationId, Vec<UserId>),
    /// The gateways that watch these users' presence.
    Watchers(UserId),
    /// One gateway.
    Gateway(GatewayId),
    /// Every gateway.
    Everyone,
}

/// Where in a conversation an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    pub conversation_id: ConversationId,
    /// The entry's seq; 0 for an event that is no entry.
    pub seq: Seq,
    /// The seq of the conversation's last change of members: a gateway that has an older view loads it anew.
    pub members_seq: Seq,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventBody {
    /// A frame for the sockets, encoded once, as JSON.
    Frame {
        json: Bytes,
        /// Set for what belongs to a conversation.
        stamp: Option<Stamp>,
        /// Users who do not get it though they are of the target: the typist, the one who left.
        except: Option<UserId>,
        /// When the sender's gateway read it, in milliseconds: how long delivery took; 0 when nobody asks.
        received_ms: i64,
    },
    /// A `conversation` frame for each of the target's users, which differs from user to user:
    /// the gateway builds it. `removed` are no longer members.
    Conversation { stamp: Stamp, removed: bool },
    /// What became of an accepted entry, for the socket or request that sent it.
    Outcome {
        session: SessionId,
        client_id: ClientId,
        conversation_id: ConversationId,
        result: Result<Seq, Refusal>,
    },
    /// The push stage's answer, as JSON, to a request of the target gateway.
    Answer { request: SessionId, json: Bytes },
    /// Live delivery may have missed something.
    Resync { reason: String },
    /// The target's users lost their right to be connected: close their sockets and forget what is cached of them.
    Expelled { deactivated: bool, session: Option<SessionId> },
    /// What is cached of the target's users (blocks, profiles) is out of date.
    Forget,
}

/// Why the store would not take an accepted entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No such conversation, or the sender is not a member.
    NotFound,
    /// A member who may not do this.
    Forbidden,
    /// Its target does not fit it any more: deleted, or of another kind.
    Conflict,
    /// The store cannot take what is in it; it went to the dead letters.
    Rejected,
}
