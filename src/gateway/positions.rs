//! Read and delivered positions: coalesced, written in batches, told to the other members.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::Gateway;
use crate::fanout::Acknowledgement;
use crate::model::{ConversationId, ConversationKind, DeviceId, Event, EventBody, Seq, Target, UserId};
use crate::protocol::{Receipt, ServerFrame, encode};
use crate::store::{Advanced, Position};

/// Positions that wait to be written: at most one a user and conversation, however often they moved.
#[derive(Default)]
pub struct Positions(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    positions: HashMap<(ConversationId, UserId), Furthest>,
    acknowledged: HashMap<(ConversationId, UserId, Option<DeviceId>, bool), Seq>,
    /// On which device it was read.
    readers: HashMap<(ConversationId, UserId), Option<DeviceId>>,
}

/// How far one user got in one conversation.
#[derive(Debug, Clone, Copy, Default)]
struct Furthest {
    read: Seq,
    delivered: Seq,
    seen: Seq,
}

impl Furthest {
    fn to(&mut self, other: Self) {
        self.read = self.read.max(other.read);
        self.delivered = self.delivered.max(other.delivered);
        self.seen = self.seen.max(other.seen);
    }
}

/// What is to be written now.
struct Moved {
    positions: Vec<Position>,
    acknowledged: Vec<Acknowledgement>,
    readers: HashMap<(ConversationId, UserId), Option<DeviceId>>,
}

/// Past this many, positions are dropped: clients say them again with the next message that they acknowledge.
const LIMIT: usize = 200_000;
/// Positions in one statement.
const TOGETHER: usize = 1000;

impl Positions {
    pub fn read(&self, conversation_id: ConversationId, user: &UserId, device: Option<&DeviceId>, seq: Seq) {
        self.note(conversation_id, user, Furthest { read: seq, delivered: seq, seen: Seq::ZERO });
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.readers.len() < LIMIT {
            waiting.readers.insert((conversation_id, user.clone()), device.cloned());
        }
    }

    pub fn acknowledged(
        &self,
        conversation_id: ConversationId,
        user: &UserId,
        device: Option<&DeviceId>,
        foreground: bool,
        seq: Seq,
    ) {
        let seen = if foreground { seq } else { Seq::ZERO };
        self.note(conversation_id, user, Furthest { read: Seq::ZERO, delivered: seq, seen });
        self.note_device(conversation_id, user, device, foreground, seq);
    }

    fn note_device(
        &self,
        conversation_id: ConversationId,
        user: &UserId,
        device: Option<&DeviceId>,
        foreground: bool,
        seq: Seq,
    ) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.acknowledged.len() < LIMIT {
            let key = (conversation_id, user.clone(), device.cloned(), foreground);
            let known = waiting.acknowledged.entry(key).or_default();
            *known = seq.max(*known);
        }
    }

    fn note(&self, conversation_id: ConversationId, user: &UserId, reached: Furthest) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.positions.len() < LIMIT {
            waiting.positions.entry((conversation_id, user.clone())).or_default().to(reached);
        }
    }

    fn take(&self) -> Moved {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let positions = waiting.positions.into_iter().map(|((conversation_id, user_id), furthest)| {
            let Furthest { read: read_seq, delivered: delivered_seq, seen: seen_seq } = furthest;
            Position { conversation_id, user_id, read_seq, delivered_seq, seen_seq }
        });
        let acknowledged = waiting.acknowledged.into_iter().map(
            |((conversation_id, user_id, device_id, foreground), seq)| Acknowledgement {
                user_id,
                device_id,
                conversation_id,
                seq,
                foreground,
            },
        );
        let (positions, acknowledged) = (positions.collect(), acknowledged.collect());
        Moved { positions, acknowledged, readers: waiting.readers }
    }

    /// Puts back what could not be written.
    fn put_back(&self, positions: &[Position]) {
        for position in positions {
            let Position { read_seq: read, delivered_seq: delivered, seen_seq: seen, .. } = *position;
            self.note(position.conversation_id, &position.user_id, Furthest { read, delivered, seen });
        }
    }

    /// Puts back what devices acknowledged and the fan-out could not take: their phones would ring for it.
    fn put_back_acknowledged(&self, acknowledged: &[Acknowledgement]) {
        for one in acknowledged {
            let device = one.device_id.as_ref();
            self.note_device(one.conversation_id, &one.user_id, device, one.foreground, one.seq);
        }
    }
}

impl Gateway {
    /// Writes positions every `gateway.positions_flush` until `stop`, and a last time then.
    pub(super) async fn flush_positions(self, stop: CancellationToken) {
        loop {
            let stopped = tokio::select! {
                () = stop.cancelled() => true,
                () = tokio::time::sleep(self.settings.gateway.positions_flush) => false,
            };
            self.flush().await;
            if stopped {
                return;
            }
        }
    }

    async fn flush(&self) {
        let Moved { positions, acknowledged, readers } = self.positions.take();
        if !acknowledged.is_empty()
            && let Err(error) = self.fanout.acknowledge(&acknowledged).await
        {
            tracing::warn!(%error, "gateway.acknowledge");
            self.positions.put_back_acknowledged(&acknowledged);
        }
        for some in positions.chunks(TOGETHER) {
            match self.store.advance(some).await {
                Ok(advanced) => {
                    self.clear_phones(&advanced, &readers).await;
                    self.tell(advanced).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "gateway.positions");
                    if error.is_retryable() {
                        self.positions.put_back(some);
                    }
                }
            }
        }
    }

    /// Sends receipts to the members of conversations that are small enough.
    async fn tell(&self, advanced: Vec<Advanced>) {
        let mut events = Vec::with_capacity(advanced.len());
        for moved in advanced {
            let asking = super::access::Asking { id: &moved.user_id, connected: true };
            let action = super::access::Action::Take;
            let Ok(known) = self.access.check(moved.conversation_id, &asking, action).await else { continue };
            if known.view.members.len() > self.settings.gateway.receipts_max_members {
                continue;
            }
            let json = encode(&ServerFrame::Receipt(Receipt {
                conversation_id: moved.conversation_id,
                user_id: &moved.user_id,
                delivered_seq: moved.delivered_seq,
                read_seq: moved.read_seq,
            }));
            let target = match known.view.kind {
                ConversationKind::Direct => {
                    Target::Users(known.view.members.iter().map(|(user, _)| user.clone()).collect())
                }
                ConversationKind::Group | ConversationKind::Channel => {
                    Target::Group(moved.conversation_id, Vec::new())
                }
            };
            events.push(Event {
                target,
                body: EventBody::Frame { json, stamp: None, except: None, received_ms: 0 },
            });
        }
        if events.is_empty() {
            return;
        }
        if let Err(error) = self.fanout.publish(events).await {
            tracing::warn!(%error, "gateway.receipts");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_fan_out_could_not_take_is_said_again_with_what_came_since() {
        let positions = Positions::default();
        let (id, bob) = (ConversationId::new(), UserId::parse("bob").unwrap());
        let phone = DeviceId::parse("phone").unwrap();
        positions.acknowledged(id, &bob, Some(&phone), false, Seq::new(3));
        let Moved { positions: moved, acknowledged, .. } = positions.take();
        assert_eq!((moved[0].delivered_seq, moved[0].seen_seq), (Seq::new(3), Seq::ZERO));
        positions.acknowledged(id, &bob, Some(&phone), true, Seq::new(4));
        positions.put_back_acknowledged(&acknowledged);
        positions.put_back(&moved);
        let Moved { positions: moved, acknowledged: mut again, .. } = positions.take();
        again.sort_by_key(|one| one.seq);
        assert_eq!(again[0], acknowledged[0]);
        assert_eq!((again[1].seq, again[1].foreground), (Seq::new(4), true));
        assert_eq!((moved[0].delivered_seq, moved[0].seen_seq), (Seq::new(4), Seq::new(4)));
    }
}
