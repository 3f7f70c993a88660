use prometheus::{Histogram, IntCounter, IntGauge};

use super::{
    By, By2, CloseReason, Direction, FrameType, HandshakeResult, LATENCY, RejectCode, RejectReason, Resumed,
    ResyncReason, family::theme,
};

theme! {
    /// What a gateway counts.
    pub struct Gateway {
        /// Open sockets of this process.
        connections: IntGauge,
        /// Sockets that this process accepts at most.
        connections_limit: IntGauge,
        /// Sockets that got their welcome, by whether they came with cursors.
        connections_opened_total: By<Resumed, IntCounter>,
        /// Connections that were refused.
        connections_rejected_total: By<RejectReason, IntCounter>,
        /// Sockets that ended.
        connections_closed_total: By<CloseReason, IntCounter>,
        /// How long sockets lived.
        connection_duration_seconds: Histogram =
            &[1.0, 10.0, 60.0, 300.0, 1800.0, 3600.0, 14400.0, 86400.0],
        /// From accepting a connection to its welcome or its end.
        handshake_duration_seconds: By<HandshakeResult, Histogram> = LATENCY,
        /// 1 while the gateway asks its clients to go elsewhere.
        gateway_draining: IntGauge,
        /// Bytes that wait for readers, all sockets together.
        outbox_bytes: IntGauge,
        /// Frames from and to clients.
        frames_total: By2<Direction, FrameType, IntCounter>,
        /// Bytes of the payloads of frames.
        frame_bytes_total: By2<Direction, FrameType, IntCounter>,
        /// Messages that were confirmed and answered with accepted.
        messages_accepted_total: IntCounter,
        /// Messages that were answered with an error.
        messages_rejected_total: By<RejectCode, IntCounter>,
        /// From receiving a message from its sender to writing it to a recipient's socket.
        delivery_seconds: Histogram = LATENCY,
        /// Clients that were told to synchronise.
        resyncs_total: By<ResyncReason, IntCounter>,
    }
}
