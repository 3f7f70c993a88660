//! Acknowledged positions in Redis: a hash for each user who acknowledged anything in the last week, a field a conversation.
//!
//! A field's value is a list of records: flags (1: foreground, 2: there is a device), the length of the device's name, the name, the
//! seq in 8 bytes, big-endian, in the order in which they last moved. Another layout needs another name of the key: the release before
//! still writes this one during a roll-out.

use std::collections::HashMap;
use std::sync::LazyLock;

use async_trait::async_trait;
use bytes::Bytes;
use fred::types::Value;
use fred::types::scripts::Script;

use super::RedisFanout;
use super::call::Call;
use super::keys::bucket_of;
use crate::fanout::{Acknowledged, Acknowledgement, FanoutError};
use crate::model::{ConversationId, DeviceId, Seq, UserId};

/// Keys: users of one bucket. Arguments: seconds to live, records at most, then for each position the number of its user's key, its
/// conversation, flags with the device's length and name, and its seq. The numbers of a seq are compared by halves: Lua's are exact to
/// 53 bits only.
pub(super) static NOTE: LazyLock<Script> = LazyLock::new(|| {
    Script::from_lua(
        "for i = 3, #ARGV, 4 do
            local key, field, device, seq = KEYS[tonumber(ARGV[i])], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
            local known = redis.call('HGET', key, field) or ''
            local at, count, first, ends, moved = 1, 0, nil, nil, true
            while at <= #known do
                local length = 2 + string.byte(known, at + 1) * 256 + string.byte(known, at + 2) + 1
                if string.sub(known, at, at + length - 1) == device then
                    local high, low = struct.unpack('>I4I4', known, at + length)
                    local new_high, new_low = struct.unpack('>I4I4', seq)
                    moved = new_high > high or (new_high == high and new_low > low)
                    first, ends = at, at + length + 8
                end
                at = at + length + 8
                count = count + 1
            end
            if moved then
                if first then
                    known = string.sub(known, 1, first - 1) .. string.sub(known, ends)
                elseif count >= tonumber(ARGV[2]) then
                    local length = 2 + string.byte(known, 2) * 256 + string.byte(known, 3) + 1
                    known = string.sub(known, length + 9)
                end
                redis.call('HSET', key, field, known .. device .. seq)
            end
        end
        for i = 1, #KEYS do redis.call('EXPIRE', KEYS[i], ARGV[1]) end
        return 1",
    )
});

/// A week: a device that was silent for longer gets its pushes anyway.
const SECONDS_TO_LIVE: i64 = 7 * 24 * 60 * 60;

/// Records of one user in one conversation. Devices name themselves: whoever invents names pushes out their own oldest.
const MOST_RECORDS: i64 = 32;

const FOREGROUND: u8 = 1;
const DEVICE: u8 = 2;

/// Positions of one call of the script: it takes some microseconds each, and others wait meanwhile.
const POSITIONS_A_CALL: usize = 200;

#[async_trait]
impl Acknowledged for RedisFanout {
    async fn acknowledge(&self, acknowledgements: &[Acknowledgement]) -> Result<(), FanoutError> {
        let mut buckets: HashMap<u8, Vec<&Acknowledgement>> = HashMap::new();
        for position in acknowledgements {
            let bucket = bucket_of(position.user_id.as_str().as_bytes());
            buckets.entry(bucket).or_default().push(position);
        }
        let mut calls = Vec::new();
        for (bucket, positions) in buckets {
            calls.extend(positions.chunks(POSITIONS_A_CALL).map(|positions| self.note(bucket, positions)));
        }
        if !calls.is_empty() {
            self.send(&calls).await?;
        }
        Ok(())
    }

    async fn acknowledged(
        &self,
        of: &[(UserId, ConversationId)],
    ) -> Result<Vec<Vec<Acknowledgement>>, FanoutError> {
        if of.is_empty() {
            return Ok(Vec::new());
        }
        let ask = |(user, conversation): &(UserId, ConversationId)| {
            Call::fields(self.key_of(user), [Bytes::copy_from_slice(conversation.as_uuid().as_bytes())])
        };
        let answers = self.send(&of.iter().map(ask).collect::<Vec<_>>()).await?;
        let read = |((user, conversation), answer): (&(UserId, ConversationId), &Value)| {
            let value = match answer {
                Value::Array(values) => values.first().and_then(Value::as_bytes),
                _ => None,
            };
            read_records(user, *conversation, value.unwrap_or_default())
        };
        Ok(of.iter().zip(&answers).map(read).collect())
    }
}

impl RedisFanout {
    fn note(&self, bucket: u8, positions: &[&Acknowledgement]) -> Call {
        let (mut keys, mut numbers) = (Vec::new(), HashMap::new());
        let mut args = vec![Value::Integer(SECONDS_TO_LIVE), Value::Integer(MOST_RECORDS)];
        for position in positions {
            let user = position.user_id.as_str();
            let number = *numbers.entry(user).or_insert_with(|| {
                keys.push(self.keys().acknowledged(bucket, user));
                keys.len()
            });
            let conversation = position.conversation_id.as_uuid();
            args.push(Value::Integer(number as i64));
            args.push(Value::Bytes(Bytes::copy_from_slice(conversation.as_bytes())));
            args.push(Value::Bytes(write_device(position)));
            args.push(Value::Bytes(Bytes::copy_from_slice(&position.seq.get().to_be_bytes())));
        }
        Call::script(&NOTE, keys, args)
    }

    fn key_of(&self, user: &UserId) -> Bytes {
        let user = user.as_str();
        self.keys().acknowledged(bucket_of(user.as_bytes()), user)
    }
}

/// A record without its seq.
fn write_device(position: &Acknowledgement) -> Bytes {
    let device = position.device_id.as_ref().map_or("", DeviceId::as_str);
    let foreground = if position.foreground { FOREGROUND } else { 0 };
    let named = if position.device_id.is_some() { DEVICE } else { 0 };
    // A device's name has 64 characters at most, so its length fits into two bytes.
    let length = u16::try_from(device.len()).unwrap_or(u16::MAX);
    let mut bytes = vec![foreground | named];
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(device.as_bytes());
    bytes.into()
}

/// What cannot be understood ends the list: it counts as not acknowledged, and one push too many is the harm.
fn read_records(user: &UserId, conversation_id: ConversationId, mut rest: &[u8]) -> Vec<Acknowledgement> {
    let mut records = Vec::new();
    while let Some((record, after)) = read_record(user, conversation_id, rest) {
        records.push(record);
        rest = after;
    }
    records
}

fn read_record<'a>(
    user: &UserId,
    conversation_id: ConversationId,
    bytes: &'a [u8],
) -> Option<(Acknowledgement, &'a [u8])> {
    let ([flags, high, low], rest) = bytes.split_first_chunk()?;
    let (device, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
    let (seq, rest) = rest.split_first_chunk()?;
    let device_id = match flags & DEVICE {
        0 => None,
        _ => Some(DeviceId::parse(std::str::from_utf8(device).ok()?).ok()?),
    };
    let record = Acknowledgement {
        user_id: user.clone(),
        device_id,
        conversation_id,
        seq: Seq::new(i64::from_be_bytes(*seq)),
        foreground: flags & FOREGROUND != 0,
    };
    Some((record, rest))
}
