//! The items of a sync in frames that are short enough.

use serde::Serialize;

use super::session::Session;
use super::turns::Turn;
use crate::protocol::{Ref, SyncItem};

/// A frame of a sync is begun anew past so many bytes. The WebSocket library keeps a buffer as long as the longest frame for as long as
/// the socket lives, so one frame with all that a login brings would cost each socket that much memory.
const FRAME: usize = 16 * 1024;
/// Room for what stands around the items of a frame.
const ENVELOPE: usize = 512;

/// Writes items straight into the frame that is being filled: a storm of logins has gigabytes of them, and every copy counts.
pub(super) struct Packing<'a> {
    session: &'a Session,
    reference: Option<&'a Ref>,
    turn: Turn<'a>,
    frame: Vec<u8>,
    items: usize,
}

impl<'a> Packing<'a> {
    pub fn new(session: &'a Session, reference: Option<&'a Ref>, turn: Turn<'a>) -> Self {
        let frame = begun(reference);
        Self { session, reference, turn, frame, items: 0 }
    }

    /// A frame that is full goes out before the next is begun.
    pub async fn put(&mut self, item: &SyncItem<'_>) {
        if let Some(item) = self.add(item) {
            self.write(false);
            self.turn.taken(self.session.outbox.emptied()).await;
            self.frame.extend_from_slice(&item);
            self.items = 1;
        }
    }

    /// The last frame goes out.
    pub fn finish(&mut self) {
        self.write(true);
    }

    /// Waits until the client took everything.
    pub async fn taken(mut self) {
        self.turn.taken(self.session.outbox.emptied()).await;
    }

    /// Gives the item back, encoded, when the frame would be too long with it.
    fn add(&mut self, item: &SyncItem<'_>) -> Option<Vec<u8>> {
        let before = self.frame.len();
        if self.items > 0 {
            self.frame.push(b',');
        }
        let at = self.frame.len();
        encode_onto(&mut self.frame, item);
        if self.frame.len() + ENVELOPE > FRAME && self.items > 0 {
            let item = self.frame.split_off(at);
            self.frame.truncate(before);
            return Some(item);
        }
        self.items += 1;
        None
    }

    fn write(&mut self, done: bool) {
        let mut frame = std::mem::take(&mut self.frame);
        frame.extend_from_slice(if done { br#"],"done":true}"# } else { br#"],"done":false}"# });
        if !done {
            self.frame = begun(self.reference);
        }
        // A slow client's last frame may lie here for long.
        if frame.len() < frame.capacity() / 2 {
            frame.shrink_to_fit();
        }
        self.session.answer_json(frame.into());
        self.items = 0;
    }
}

/// As [`crate::protocol::SyncFrame`] begins.
fn begun(reference: Option<&Ref>) -> Vec<u8> {
    let mut frame = Vec::with_capacity(FRAME);
    frame.extend_from_slice(br#"{"type":"sync","#);
    if let Some(reference) = reference {
        frame.extend_from_slice(br#""ref":"#);
        encode_onto(&mut frame, &&**reference);
        frame.push(b',');
    }
    frame.extend_from_slice(br#""conversations":["#);
    frame
}

fn encode_onto(frame: &mut Vec<u8>, part: &impl Serialize) {
    serde_json::to_writer(frame, part)
        .expect("frames have string keys only, and writing to memory cannot fail");
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::config::Config;
    use crate::gateway::limits::TokenBucket;
    use crate::gateway::outbox::Next;
    use crate::gateway::rates::UserRates;
    use crate::gateway::session::NewSession;
    use crate::gateway::turns::Turns;
    use crate::model::{ConversationId, SessionId, Timestamp, UserId};
    use crate::protocol::{Encoding, ServerFrame, SyncFrame, encode, encode_part};

    fn session() -> Session {
        let user_id = UserId::parse("alice").unwrap();
        Session::new(NewSession {
            id: SessionId::new(),
            device_id: None,
            sign_in: None,
            encoding: Encoding::Json,
            outbox_bytes: 1024 * 1024,
            active: true,
            expires_at: Timestamp::from_millis(i64::MAX),
            issued_at: None,
            messages: TokenBucket::new(1, 1, Instant::now()),
            user_messages: UserRates::new(&Config::defaults().gateway).of(&user_id),
            user_id,
        })
    }

    /// The frames that a sync of so many items takes, read by a client that takes each at once.
    async fn frames_of(ids: &[ConversationId], reference: Option<&Ref>) -> Vec<bytes::Bytes> {
        let (session, turns) = (session(), Turns::new(1));
        let mut packing = Packing::new(&session, reference, turns.wait().await);
        let mut frames = Vec::new();
        let mut take = || {
            if let Some(Next::Frames(taken)) = session.outbox.take() {
                frames.extend(taken);
            }
        };
        for id in ids {
            let item = SyncItem::removed(*id);
            let mut put = std::pin::pin!(packing.put(&item));
            while futures_util::poll!(put.as_mut()).is_pending() {
                take();
            }
        }
        packing.finish();
        take();
        frames
    }

    #[tokio::test]
    async fn its_frames_are_sync_frames_with_every_item_in_order() {
        let ids: Vec<_> = (0..500).map(|_| ConversationId::new()).collect();
        let items: Vec<_> = ids.iter().map(|id| encode_part(&SyncItem::removed(*id))).collect();
        for reference in [None, Some(Ref::from("say \"when\""))] {
            let frames = frames_of(&ids, reference.as_ref()).await;
            assert!(frames.len() > 2);
            let mut left = &items[..];
            for (place, frame) in frames.iter().enumerate() {
                let done = place + 1 == frames.len();
                let fits = |count: &usize| {
                    let conversations = &left[..*count];
                    let reference = reference.as_deref();
                    encode(&ServerFrame::Sync(SyncFrame { reference, conversations, done })) == *frame
                };
                let count = (1..=left.len()).find(fits).expect("a frame of the next items");
                assert!(frame.len() <= FRAME);
                left = &left[count..];
            }
            assert!(left.is_empty());
        }
    }

    #[tokio::test]
    async fn who_has_nothing_is_told_so() {
        let frames = frames_of(&[], None).await;
        assert_eq!(frames, [r#"{"type":"sync","conversations":[],"done":true}"#]);
    }
}
