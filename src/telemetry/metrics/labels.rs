//! The values that labels can have. Never a user, a room or a token.

use super::{Role, family::label};

label! {
    /// Whether a socket came with cursors.
    pub enum Resumed: "resumed" {
        Yes = "true",
        No = "false",
    }
}

label! {
    /// Why a connection got no socket.
    pub enum RejectReason: "reason" {
        Auth = "auth",
        Origin = "origin",
        Capacity = "capacity",
        Rate = "rate",
        Draining = "draining",
    }
}

label! {
    /// Why a socket ended.
    pub enum CloseReason: "reason" {
        Client = "client",
        Drain = "drain",
        SlowConsumer = "slow_consumer",
        Idle = "idle",
        TooLarge = "too_large",
        Protocol = "protocol",
        Auth = "auth",
        Error = "error",
    }
}

label! {
    /// How a handshake, from accepting a connection to `welcome`, ended.
    pub enum HandshakeResult: "result" {
        Ok = "ok",
        /// Refused with a status or a close code.
        Rejected = "rejected",
        /// The head or the `hello` did not come in time.
        Timeout = "timeout",
        /// The connection broke.
        Error = "error",
    }
}

label! {
    pub enum Direction: "direction" {
        /// From a client.
        In = "in",
        /// To a client.
        Out = "out",
    }
}

label! {
    /// The words of the protocol, of both sides.
    pub enum FrameType: "type" {
        Hello = "hello",
        Send = "send",
        Edit = "edit",
        Delete = "delete",
        React = "react",
        Ack = "ack",
        Read = "read",
        Typing = "typing",
        History = "history",
        Sync = "sync",
        Presence = "presence",
        State = "state",
        Auth = "auth",
        Ping = "ping",
        Welcome = "welcome",
        Accepted = "accepted",
        Message = "message",
        Receipt = "receipt",
        Conversation = "conversation",
        Resync = "resync",
        Reconnect = "reconnect",
        Error = "error",
        Pong = "pong",
        /// No word of the protocol, or nothing that can be read.
        Unknown = "unknown",
    }
}

label! {
    pub enum PublishResult: "result" {
        Confirmed = "confirmed",
        Returned = "returned",
        Nacked = "nacked",
        Timeout = "timeout",
    }
}

label! {
    /// The error codes of the protocol.
    pub enum RejectCode: "code" {
        BadRequest = "bad_request",
        Unauthenticated = "unauthenticated",
        Forbidden = "forbidden",
        NotFound = "not_found",
        TooLarge = "too_large",
        RateLimited = "rate_limited",
        Conflict = "conflict",
        Unavailable = "unavailable",
        Unsupported = "unsupported",
        Internal = "internal",
    }
}

label! {
    /// A queue, all partitions together.
    pub enum QueueName: "queue" {
        /// Accepted messages on their way to the store.
        Inbound = "inbound",
        /// Set aside for an operator.
        Dead = "dead",
        /// Stored messages for which pushes are to be decided.
        Push = "push",
        /// Decisions and retries that wait for their time.
        PushWait = "push_wait",
        PushApns = "push_apns",
        PushFcm = "push_fcm",
        PushWebpush = "push_webpush",
        PushLog = "push_log",
    }
}

label! {
    /// A queue that has consumers. Neither the dead letters nor what waits for its time have any,
    /// and a series of them at 0 would look like consumers that stall.
    pub enum ConsumedQueue: "queue" {
        Inbound = "inbound",
        Push = "push",
        PushApns = "push_apns",
        PushFcm = "push_fcm",
        PushWebpush = "push_webpush",
        PushLog = "push_log",
    }
}

label! {
    pub enum QueueState: "state" {
        Ready = "ready",
        Unacknowledged = "unacknowledged",
    }
}

label! {
    /// What came of a message that was taken from a queue.
    pub enum ConsumeResult: "result" {
        Stored = "stored",
        Duplicate = "duplicate",
        Rejected = "rejected",
        Dead = "dead",
    }
}

label! {
    /// Why something was set aside.
    pub enum DeadReason: "reason" {
        /// No release of ours wrote these bytes.
        Undecodable = "undecodable",
        /// The database cannot take it.
        Refused = "refused",
        /// Delivered too often without an acknowledgement.
        DeliveryLimit = "delivery_limit",
        /// The push provider says that we are at fault.
        Provider = "provider",
    }
}

label! {
    /// Steps of a worker's batch.
    pub enum Stage: "stage" {
        Persist = "persist",
        FanOut = "fan_out",
        Notify = "notify",
        Ack = "ack",
    }
}

label! {
    /// Why clients were told to synchronise.
    pub enum ResyncReason: "reason" {
        /// The gateway's own subscription was interrupted.
        SubscriptionLost = "subscription_lost",
        /// A worker had to skip live delivery.
        FanOutSkipped = "fan_out_skipped",
        /// The gateway could not keep up with its events.
        Lagged = "lagged",
    }
}

label! {
    /// What was decided about a push.
    pub enum PushDecision: "decision" {
        Sent = "sent",
        Acknowledged = "acknowledged",
        Read = "read",
        Muted = "muted",
        NoDevice = "no_device",
        Expired = "expired",
        /// The sender is blocked by the recipient.
        Blocked = "blocked",
        /// Deleted before it was sent, or not the recipient's to see.
        Deleted = "deleted",
        Budget = "budget",
    }
}

label! {
    pub enum Provider: "provider" {
        Apns = "apns",
        Fcm = "fcm",
        Webpush = "webpush",
        Log = "log",
    }
}

label! {
    /// What a provider answered.
    pub enum PushResult: "result" {
        Delivered = "delivered",
        InvalidToken = "invalid_token",
        Quarantined = "quarantined",
        /// The provider refused who we say we are.
        Credential = "credential",
        Retry = "retry",
        Rejected = "rejected",
    }
}

label! {
    /// What a process needs. `dev` needs none of the services, the others no SQLite.
    pub enum Dependency: "dependency" {
        Postgres = "postgres",
        Rabbitmq = "rabbitmq",
        Redis = "redis",
        Sqlite = "sqlite",
    }
    in role => |it| (it == Dependency::Sqlite) == (role == Role::Dev);
}

label! {
    pub enum PoolState: "state" {
        Idle = "idle",
        Used = "used",
    }
}
