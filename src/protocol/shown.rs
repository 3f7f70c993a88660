//! A conversation whose members are encoded already, because many are shown the same ones.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::model::{Conversation, ConversationId, ConversationKind, Notify, Role, Seq, Timestamp};

/// Encodes as its [`Conversation`] does, with these members in place of its own.
#[derive(Serialize)]
pub struct Shown<'a> {
    id: ConversationId,
    kind: ConversationKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    last_seq: Seq,
    first_seq: Seq,
    created_at: Timestamp,
    member_count: i64,
    members: &'a RawValue,
    role: Role,
    read_seq: Seq,
    unread: i64,
    notify: Notify,
    #[serde(skip_serializing_if = "Option::is_none")]
    muted_until: Option<Timestamp>,
}

impl<'a> Shown<'a> {
    /// `members` is a [`crate::model::ShownMembers`] in JSON.
    pub fn new(conversation: &'a Conversation, members: &'a RawValue) -> Self {
        Self {
            id: conversation.id,
            kind: conversation.kind,
            title: conversation.title.as_deref(),
            last_seq: conversation.last_seq,
            first_seq: conversation.first_seq,
            created_at: conversation.created_at,
            member_count: conversation.member_count,
            members,
            role: conversation.role,
            read_seq: conversation.read_seq,
            unread: conversation.unread,
            notify: conversation.notify,
            muted_until: conversation.muted_until,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Member, ShownMembers, UserId};
    use crate::protocol::{encode, encode_part};

    #[test]
    fn it_reads_as_the_conversation_itself() {
        let member = |name: &str, display_name: Option<&str>| Member {
            user_id: UserId::parse(name).unwrap(),
            role: Role::Member,
            display_name: display_name.map(str::to_owned),
            avatar_url: None,
            read_seq: Seq::new(3),
            delivered_seq: Seq::new(4),
        };
        let mut conversation = Conversation {
            id: ConversationId::new(),
            kind: ConversationKind::Group,
            title: Some("\"members\":[]".to_owned()),
            last_seq: Seq::new(7),
            first_seq: Seq::new(2),
            created_at: Timestamp::from_millis(5),
            member_count: 2,
            members: vec![member("alice", Some("Alice")), member("bob", None)],
            role: Role::Owner,
            read_seq: Seq::new(6),
            unread: 1,
            notify: Notify::Mentions,
            muted_until: Some(Timestamp::from_millis(9)),
        };
        for _ in 0..2 {
            let members = encode_part(&ShownMembers(&conversation.members));
            assert_eq!(encode(&Shown::new(&conversation, &members)), encode(&conversation));
            (conversation.title, conversation.muted_until) = (None, None);
        }
    }
}
