use uuid::Uuid;

/// What happened, as the deciding half knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Occasion {
    pub why: Why,
    pub conversation_id: Uuid,
    /// The title of a group or channel; a direct conversation has none.
    pub conversation_title: Option<String>,
    /// Of a summary, the latest message.
    pub message_id: Uuid,
    pub seq: u64,
    pub sender_id: String,
    /// The sender's display name, or the user id where there is none.
    pub sender_name: String,
    /// `None` when the message is data only.
    pub text: Option<String>,
}

/// Why the phone rings; each has its own templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    Direct,
    Group,
    /// The recipient is mentioned in a group or channel.
    Mention,
    /// `count` messages in one alert that replaces itself.
    Summary {
        count: u32,
    },
}

impl Occasion {
    /// What the user calls this conversation.
    pub(super) fn conversation(&self) -> &str {
        self.conversation_title.as_deref().unwrap_or(&self.sender_name)
    }
}
