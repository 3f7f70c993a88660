//! Reading payloads. They come from outside the process: nothing in them may panic or make us reserve more than they are long.

use bytes::Bytes;
use uuid::Uuid;

use super::{VERSION, tag};
use crate::model::{
    ClientId, ConversationId, Event, EventBody, GatewayId, Refusal, Seq, SessionId, Stamp, Target, UserId,
};

/// Why a payload cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::fanout::redis) enum BadPayload {
    #[error("its version {0} is not ours")]
    Version(u8),
    #[error("it ends in the middle")]
    Short,
    #[error("it holds a {0} that we do not know")]
    Unknown(&'static str),
    #[error("it holds a {0} that is none")]
    Invalid(&'static str),
}

/// The events of a payload. Every frame is copied out of it: a slow socket must not pin the whole batch in memory.
pub(in crate::fanout::redis) fn decode(payload: &[u8]) -> Result<Vec<Event>, BadPayload> {
    let (version, rest) = payload.split_first().ok_or(BadPayload::Short)?;
    if *version != VERSION {
        return Err(BadPayload::Version(*version));
    }
    let mut reader = Reader { rest };
    let mut events = Vec::new();
    while !reader.rest.is_empty() {
        events.push(Event { target: reader.target()?, body: reader.body()? });
    }
    Ok(events)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn target(&mut self) -> Result<Target, BadPayload> {
        Ok(match self.byte()? {
            tag::USERS => Target::Users(self.users()?),
            tag::GROUP => Target::Group(ConversationId::from_uuid(self.uuid()?), self.users()?),
            tag::WATCHERS => Target::Watchers(self.user()?),
            tag::GATEWAY => Target::Gateway(GatewayId::from_uuid(self.uuid()?)),
            tag::EVERYONE => Target::Everyone,
            _ => return Err(BadPayload::Unknown("target")),
        })
    }

    fn body(&mut self) -> Result<EventBody, BadPayload> {
        Ok(match self.byte()? {
            tag::FRAME => EventBody::Frame {
                json: Bytes::copy_from_slice(self.bytes()?),
                stamp: self.option(Self::stamp)?,
                except: self.option(Self::user)?,
                received_ms: self.signed()?,
            },
            tag::CONVERSATION => EventBody::Conversation { stamp: self.stamp()?, removed: self.flag()? },
            tag::OUTCOME => EventBody::Outcome {
                session: SessionId::from_uuid(self.uuid()?),
                client_id: ClientId::from_uuid(self.uuid()?),
                conversation_id: ConversationId::from_uuid(self.uuid()?),
                result: self.outcome()?,
            },
            tag::RESYNC => EventBody::Resync { reason: self.text()?.to_owned() },
            tag::EXPELLED => EventBody::Expelled {
                deactivated: self.flag()?,
                session: self.option(|reader| Ok(SessionId::from_uuid(reader.uuid()?)))?,
            },
            tag::FORGET => EventBody::Forget,
            tag::ANSWER => EventBody::Answer {
                request: SessionId::from_uuid(self.uuid()?),
                json: Bytes::copy_from_slice(self.bytes()?),
            },
            _ => return Err(BadPayload::Unknown("body")),
        })
    }

    fn outcome(&mut self) -> Result<Result<Seq, Refusal>, BadPayload> {
        Ok(match self.byte()? {
            tag::STORED => Ok(self.seq()?),
            tag::NOT_FOUND => Err(Refusal::NotFound),
            tag::FORBIDDEN => Err(Refusal::Forbidden),
            tag::CONFLICT => Err(Refusal::Conflict),
            tag::REJECTED => Err(Refusal::Rejected),
            _ => return Err(BadPayload::Unknown("outcome")),
        })
    }

    fn stamp(&mut self) -> Result<Stamp, BadPayload> {
        Ok(Stamp {
            conversation_id: ConversationId::from_uuid(self.uuid()?),
            seq: self.seq()?,
            members_seq: self.seq()?,
        })
    }

    fn seq(&mut self) -> Result<Seq, BadPayload> {
        match self.signed()? {
            seq if seq < 0 => Err(BadPayload::Invalid("seq")),
            seq => Ok(Seq::new(seq)),
        }
    }

    fn users(&mut self) -> Result<Vec<UserId>, BadPayload> {
        let count = self.unsigned()?;
        // The count is only believed as far as users come; a user takes two bytes at least.
        let likely = count.min(self.rest.len() as u64 / 2) as usize;
        let mut users = Vec::with_capacity(likely.min(1024));
        for _ in 0..count {
            users.push(self.user()?);
        }
        Ok(users)
    }

    fn user(&mut self) -> Result<UserId, BadPayload> {
        UserId::parse(self.text()?).map_err(|_| BadPayload::Invalid("user id"))
    }

    fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, BadPayload>,
    ) -> Result<Option<T>, BadPayload> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
    }

    fn flag(&mut self) -> Result<bool, BadPayload> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(BadPayload::Invalid("flag")),
        }
    }

    fn text(&mut self) -> Result<&'a str, BadPayload> {
        std::str::from_utf8(self.bytes()?).map_err(|_| BadPayload::Invalid("text"))
    }

    fn bytes(&mut self) -> Result<&'a [u8], BadPayload> {
        let length = usize::try_from(self.unsigned()?).map_err(|_| BadPayload::Short)?;
        self.take(length)
    }

    fn uuid(&mut self) -> Result<Uuid, BadPayload> {
        Uuid::from_slice(self.take(16)?).map_err(|_| BadPayload::Short)
    }

    fn signed(&mut self) -> Result<i64, BadPayload> {
        let number = self.unsigned()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn unsigned(&mut self) -> Result<u64, BadPayload> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(BadPayload::Invalid("number"));
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(BadPayload::Invalid("number"))
    }

    fn byte(&mut self) -> Result<u8, BadPayload> {
        let (first, rest) = self.rest.split_first().ok_or(BadPayload::Short)?;
        self.rest = rest;
        Ok(*first)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], BadPayload> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(BadPayload::Short)?;
        self.rest = rest;
        Ok(taken)
    }
}
