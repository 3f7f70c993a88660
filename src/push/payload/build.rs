use std::collections::BTreeMap;

use serde_json::Value;

use super::{Occasion, Privacy, ServerPush, Style, Why};
use crate::push::provider::{Alert, Clear, InterruptionLevel, Kind, Priority, Silent};

/// The parts of a [`crate::push::provider::Notification`] that do not depend on the device.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    pub kind: Kind,
    pub data: BTreeMap<String, Value>,
    pub priority: Priority,
}

/// Writes the push for an occasion. A summary speaks of many messages, so what the server wrote for
/// one of them does not appear in it. The privacy mode has the last word: what it withholds is
/// withheld also when the server wrote it.
pub fn build(occasion: &Occasion, style: &Style, server: Option<&ServerPush>) -> Content {
    let is_summary = matches!(occasion.why, Why::Summary { .. });
    let server = server.filter(|_| !is_summary);
    let mut data = ids(occasion);
    if let Some(server) = server.filter(|_| style.privacy != Privacy::IdsOnly) {
        data.extend(server.data.clone());
    }
    if server.is_some_and(|server| server.silent) {
        return Content { kind: Kind::Silent(Silent::default()), data, priority: Priority::Normal };
    }
    let priority = server.and_then(|server| server.priority).unwrap_or(Priority::High);
    Content { kind: Kind::Alert(alert(occasion, style, server)), data, priority }
}

/// Writes the silent push for a user who read elsewhere.
pub fn clear(conversation_id: uuid::Uuid, read_seq: u64) -> Content {
    let clear = Clear { conversation_id: conversation_id.to_string(), seq: read_seq };
    Content {
        kind: Kind::Silent(Silent { clear: Some(clear) }),
        data: BTreeMap::new(),
        priority: Priority::Normal,
    }
}

fn alert(occasion: &Occasion, style: &Style, server: Option<&ServerPush>) -> Alert {
    let look = style.of(occasion);
    let said = |choose: fn(&ServerPush) -> &Option<String>| server.and_then(|push| choose(push).clone());
    let title = said(|push| &push.title).unwrap_or_else(|| look.title.fill(occasion, &style.placeholder));
    let body = said(|push| &push.body).unwrap_or_else(|| look.body.fill(occasion, &style.placeholder));
    let conversation = occasion.conversation_id.to_string();
    let collapse_id = match occasion.why {
        Why::Summary { .. } => conversation.clone(),
        Why::Direct | Why::Group | Why::Mention => occasion.message_id.to_string(),
    };
    // A count gives nothing of a message away.
    let is_count = matches!(occasion.why, Why::Summary { .. });
    let (title, body) = match style.privacy {
        Privacy::Full => (Some(title), body),
        Privacy::TitleOnly if is_count => (Some(title), body),
        Privacy::TitleOnly => (Some(title), style.placeholder.clone()),
        Privacy::IdsOnly => (None, style.placeholder.clone()),
    };
    Alert {
        title,
        body: Some(body),
        // Where the app has made no channel of that name, Android takes the one of its manifest.
        channel: look.channel.clone().or_else(|| Some(conversation.clone())),
        thread: Some(conversation),
        collapse_id: Some(collapse_id.clone()),
        tag: Some(collapse_id),
        interruption_level: level(look.interruption_level, server),
        sound: said(|push| &push.sound).or_else(|| look.sound.clone()),
        // With ids only the extension is what fetches the text.
        mutable_content: style.mutable_content || style.privacy == Privacy::IdsOnly,
    }
}

/// A push that the server calls unimportant does not break through a focus mode.
fn level(configured: Option<InterruptionLevel>, server: Option<&ServerPush>) -> Option<InterruptionLevel> {
    match server.and_then(|push| push.priority) {
        Some(Priority::Normal) => configured.map(|_| InterruptionLevel::Passive),
        Some(Priority::High) | None => configured,
    }
}

fn ids(occasion: &Occasion) -> BTreeMap<String, Value> {
    let kind = match occasion.why {
        Why::Summary { .. } => "summary",
        Why::Direct | Why::Group | Why::Mention => "message",
    };
    let mut data = BTreeMap::from([
        ("type".to_owned(), Value::from(kind)),
        ("conversation_id".to_owned(), Value::from(occasion.conversation_id.to_string())),
        ("message_id".to_owned(), Value::from(occasion.message_id.to_string())),
        ("seq".to_owned(), Value::from(occasion.seq)),
        ("sender_id".to_owned(), Value::from(occasion.sender_id.clone())),
    ]);
    if let Why::Summary { count } = occasion.why {
        data.insert("count".to_owned(), Value::from(count));
    }
    data
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;
    use uuid::Uuid;

    pub fn occasion(why: Why) -> Occasion {
        Occasion {
            why,
            conversation_id: Uuid::from_u128(1),
            conversation_title: (why != Why::Direct).then(|| "Team".to_owned()),
            message_id: Uuid::from_u128(2),
            seq: 9,
            sender_id: "ann".to_owned(),
            sender_name: "Ann".to_owned(),
            text: Some("lunch?".to_owned()),
        }
    }

    fn words(content: &Content) -> (Option<&str>, &str) {
        match &content.kind {
            Kind::Alert(alert) => (alert.title.as_deref(), alert.body.as_deref().unwrap_or_default()),
            Kind::Silent(_) => panic!("a silent push"),
        }
    }

    fn shown(why: Why, style: &Style, server: Option<ServerPush>) -> Content {
        build(&occasion(why), style, server.as_ref())
    }

    #[test]
    fn every_kind_has_its_own_words() {
        let style = Style::default();
        let cases = [
            (Why::Direct, "Ann", "lunch?"),
            (Why::Group, "Team", "Ann: lunch?"),
            (Why::Mention, "Team", "Ann mentioned you: lunch?"),
            (Why::Summary { count: 7 }, "Team", "7 new messages in Team"),
        ];
        for (why, title, body) in cases {
            assert_eq!(words(&shown(why, &style, None)), (Some(title), body), "{why:?}");
        }
    }

    #[test]
    fn a_summary_replaces_itself_and_a_message_stands_alone() {
        let collapse = |why| match shown(why, &Style::default(), None).kind {
            Kind::Alert(alert) => (alert.collapse_id, alert.tag, alert.thread),
            Kind::Silent(_) => panic!("a silent push"),
        };
        let (conversation, message) = (Uuid::from_u128(1).to_string(), Uuid::from_u128(2).to_string());
        let summary = Some(conversation.clone());
        assert_eq!(collapse(Why::Summary { count: 7 }), (summary.clone(), summary.clone(), summary.clone()));
        assert_eq!(collapse(Why::Group), (Some(message.clone()), Some(message), summary));
    }

    #[test]
    fn a_privacy_mode_withholds_also_what_the_server_wrote() {
        let server = || {
            let data = json!({"link": "app://x"}).as_object().cloned().expect("an object");
            Some(ServerPush {
                title: Some("T".into()),
                body: Some("B".into()),
                data,
                ..ServerPush::default()
            })
        };
        let style = |privacy| Style { privacy, ..Style::default() };

        let full = shown(Why::Group, &style(Privacy::Full), server());
        assert_eq!(words(&full), (Some("T"), "B"));
        assert_eq!(full.data["link"], "app://x");

        let title_only = shown(Why::Group, &style(Privacy::TitleOnly), server());
        assert_eq!(words(&title_only), (Some("T"), "New message"));

        let ids_only = shown(Why::Group, &style(Privacy::IdsOnly), server());
        assert_eq!(words(&ids_only), (None, "New message"));
        assert!(!ids_only.data.contains_key("link"));
        assert_eq!(ids_only.data["seq"], 9);
    }

    #[test]
    fn a_summary_does_not_speak_with_the_words_for_one_message() {
        let server = ServerPush { body: Some("B".into()), silent: true, ..ServerPush::default() };
        let content = shown(Why::Summary { count: 7 }, &Style::default(), Some(server));
        assert_eq!(words(&content), (Some("Team"), "7 new messages in Team"));
    }

    #[test]
    fn a_server_may_make_a_push_silent() {
        let server = ServerPush { silent: true, ..ServerPush::default() };
        let content = shown(Why::Direct, &Style::default(), Some(server));
        assert_eq!(content.kind, Kind::Silent(Silent::default()));
        assert_eq!(content.data["type"], "message");
    }

    #[test]
    fn a_message_without_text_still_says_something() {
        let mut occasion = occasion(Why::Direct);
        occasion.text = None;
        assert_eq!(words(&build(&occasion, &Style::default(), None)), (Some("Ann"), "New message"));
    }
}
