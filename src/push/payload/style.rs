use serde::Deserialize;

use super::{Occasion, Template, Why};
use crate::push::provider::InterruptionLevel;

/// How much of a message the provider gets to see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Privacy {
    /// Title and text.
    #[default]
    Full,
    /// Who or where, not what.
    TitleOnly,
    /// Neither: the app fetches the message by its ids.
    IdsOnly,
}

/// How one kind of occasion looks and sounds.
#[derive(Debug, Clone, PartialEq)]
pub struct KindStyle {
    pub title: Template,
    pub body: Template,
    pub sound: Option<String>,
    /// The Android notification channel; the app must have created it.
    pub channel: Option<String>,
    pub interruption_level: Option<InterruptionLevel>,
}

/// How pushes look: the operator's part.
#[derive(Debug, Clone, PartialEq)]
pub struct Style {
    pub privacy: Privacy,
    pub direct: KindStyle,
    pub group: KindStyle,
    pub mention: KindStyle,
    /// Many messages in a group or channel.
    pub summary: KindStyle,
    /// Many messages in a direct conversation.
    pub direct_summary: KindStyle,
    /// Stands in for text that is missing or withheld.
    pub placeholder: String,
    /// Lets an iOS notification service extension run; needed to acknowledge from it.
    pub mutable_content: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            privacy: Privacy::Full,
            direct: KindStyle::of("{sender}", "{text}"),
            group: KindStyle::of("{conversation}", "{sender}: {text}"),
            mention: KindStyle::of("{conversation}", "{sender} mentioned you: {text}"),
            summary: KindStyle::of("{conversation}", "{count} new messages in {conversation}"),
            direct_summary: KindStyle::of("{sender}", "{count} new messages from {sender}"),
            placeholder: "New message".to_owned(),
            mutable_content: true,
        }
    }
}

impl Style {
    pub(super) fn of(&self, occasion: &Occasion) -> &KindStyle {
        match occasion.why {
            Why::Direct => &self.direct,
            Why::Group => &self.group,
            Why::Mention => &self.mention,
            Why::Summary { .. } if occasion.conversation_title.is_none() => &self.direct_summary,
            Why::Summary { .. } => &self.summary,
        }
    }
}

impl KindStyle {
    fn of(title: &str, body: &str) -> Self {
        let template = |line: &str| line.parse().expect("a template written here is well formed");
        Self {
            title: template(title),
            body: template(body),
            sound: Some("default".to_owned()),
            channel: None,
            interruption_level: None,
        }
    }
}
