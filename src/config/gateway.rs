use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Problems, values};

/// `[gateway]`: what one socket may do and what a gateway keeps for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    #[serde(with = "values::duration")]
    pub heartbeat: Duration,
    #[serde(with = "values::duration")]
    pub heartbeat_grace: Duration,
    #[serde(with = "values::duration")]
    pub hello_timeout: Duration,
    #[serde(with = "values::size")]
    pub max_frame_bytes: usize,
    pub compression: bool,
    #[serde(with = "values::size")]
    pub compression_threshold: usize,
    #[serde(with = "values::size")]
    pub max_text_bytes: usize,
    #[serde(with = "values::size")]
    pub max_data_bytes: usize,
    #[serde(with = "values::size")]
    pub outbox_bytes: usize,
    pub messages_per_second: u32,
    pub message_burst: u32,
    pub user_messages_per_second: u32,
    pub frames_per_second: u32,
    pub bad_frames_per_minute: u32,
    pub sockets_per_user: usize,
    #[serde(with = "values::size")]
    pub http_max_body: usize,
    #[serde(with = "values::duration")]
    pub http_timeout: Duration,
    pub history_limit: u32,
    pub conversation_cache: usize,
    pub user_cache: usize,
    #[serde(with = "values::duration")]
    pub accepted_delay: Duration,
    #[serde(with = "values::duration")]
    pub positions_flush: Duration,
    pub members_max: usize,
    pub receipts_max_members: usize,
    #[serde(with = "values::duration")]
    pub resync_spread: Duration,
    #[serde(with = "values::duration")]
    pub close_timeout: Duration,
}

/// The longest frame that a client must be able to take (protocol.md).
pub const SERVER_FRAME_BYTES: usize = 256 * 1024;

impl Gateway {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.less("gateway.hello_timeout", self.hello_timeout, "gateway.heartbeat", self.heartbeat);
        problems.less("gateway.accepted_delay", self.accepted_delay, "gateway.heartbeat", self.heartbeat);
        for (key, value) in [
            ("gateway.heartbeat", self.heartbeat),
            ("gateway.heartbeat_grace", self.heartbeat_grace),
            ("gateway.hello_timeout", self.hello_timeout),
            ("gateway.http_timeout", self.http_timeout),
            ("gateway.positions_flush", self.positions_flush),
            ("gateway.close_timeout", self.close_timeout),
        ] {
            problems.positive(key, value);
        }
        if self.heartbeat.subsec_nanos() != 0 {
            problems.rule("gateway.heartbeat must be whole seconds: clients are told heartbeat_s");
        }
        for (key, value) in [
            ("gateway.messages_per_second", self.messages_per_second),
            ("gateway.message_burst", self.message_burst),
            ("gateway.user_messages_per_second", self.user_messages_per_second),
            ("gateway.frames_per_second", self.frames_per_second),
            ("gateway.bad_frames_per_minute", self.bad_frames_per_minute),
            ("gateway.history_limit", self.history_limit),
        ] {
            problems.at_least(key, value as usize, 1);
        }
        for (key, value) in [
            ("gateway.sockets_per_user", self.sockets_per_user),
            ("gateway.conversation_cache", self.conversation_cache),
            ("gateway.user_cache", self.user_cache),
            ("gateway.members_max", self.members_max),
        ] {
            problems.at_least(key, value, 1);
        }
        problems.at_least("gateway.max_frame_bytes", self.max_frame_bytes, 1024);
        problems.at_least("gateway.compression_threshold", self.compression_threshold, 1);
        problems.at_least("gateway.http_max_body", self.http_max_body, 1024);
        // Text and data travel in one frame, and come back in one frame to the recipients.
        let message = self.max_text_bytes.saturating_add(self.max_data_bytes);
        if message > self.max_frame_bytes {
            problems.rule(
                "gateway.max_text_bytes + gateway.max_data_bytes must fit into gateway.max_frame_bytes",
            );
        }
        if self.max_frame_bytes > SERVER_FRAME_BYTES {
            problems
                .rule("gateway.max_frame_bytes must be at most 256KiB: clients need not take longer frames");
        }
        problems.at_least("gateway.outbox_bytes", self.outbox_bytes, SERVER_FRAME_BYTES);
    }
}
