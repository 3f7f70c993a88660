//! What a dead letter says about itself, in its headers.

use bytes::Bytes;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, LongString};
use xxhash_rust::xxh3::xxh3_128;

use super::topology::Topology;
use crate::model::Timestamp;
use crate::queue::{DeadLetter, LetterId};

const REASON: &str = "x-tidings-reason";
const SOURCE: &str = "x-tidings-source";
/// Milliseconds since 1970: the times of AMQP have whole seconds.
const DEAD_AT: &str = "x-tidings-dead-at";
/// Written by the broker when it is the broker that gives up: an array of tables, the latest first.
const BY_THE_BROKER: &str = "x-death";

/// Of a letter that we put aside.
pub(super) fn headers(reason: &str, source: &str, now: Timestamp) -> FieldTable {
    let mut headers = FieldTable::default();
    headers.insert(REASON.into(), AMQPValue::LongString(LongString::from(reason)));
    headers.insert(SOURCE.into(), AMQPValue::LongString(LongString::from(source)));
    headers.insert(DEAD_AT.into(), AMQPValue::LongLongInt(now.as_millis()));
    headers
}

/// A message of the dead-letter queue, ours or the broker's; one that somebody else put there too.
pub(super) fn read(message: Delivery, topology: &Topology) -> DeadLetter {
    let headers = message.properties.headers().clone().unwrap_or_default();
    let death = ours(&headers).or_else(|| by_the_broker(&headers, topology)).unwrap_or_else(|| Death {
        reason: "unknown: it came without a reason".into(),
        source: String::new(),
        at: Timestamp::from_millis(0),
    });
    let id = match message.properties.message_id() {
        Some(id) => id.to_string(),
        // The same each time it is read, which is all that a name needs.
        None => format!("{:032x}", xxh3_128(&message.data)),
    };
    DeadLetter {
        id: LetterId(id),
        payload: Bytes::from(message.data),
        reason: death.reason,
        source: death.source,
        dead_at: death.at,
    }
}

struct Death {
    reason: String,
    source: String,
    at: Timestamp,
}

fn ours(headers: &FieldTable) -> Option<Death> {
    let headers = headers.inner();
    Some(Death {
        reason: text(headers.get(REASON)?)?,
        source: text(headers.get(SOURCE)?)?,
        at: Timestamp::from_millis(number(headers.get(DEAD_AT)?)?),
    })
}

fn by_the_broker(headers: &FieldTable, topology: &Topology) -> Option<Death> {
    let AMQPValue::FieldArray(deaths) = headers.inner().get(BY_THE_BROKER)? else { return None };
    let AMQPValue::FieldTable(latest) = deaths.as_slice().first()? else { return None };
    let latest = latest.inner();
    let queue = text(latest.get("queue")?)?;
    let reason = match text(latest.get("reason")?)?.as_str() {
        "delivery_limit" => "delivered too often without being acknowledged".to_owned(),
        other => format!("given up by the broker: {other}"),
    };
    let seconds = latest.get("time").and_then(number).unwrap_or(0);
    let at = Timestamp::from_millis(seconds.saturating_mul(1000));
    Some(Death { reason, source: topology.source_of(&queue).unwrap_or(queue), at })
}

fn text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

fn number(value: &AMQPValue) -> Option<i64> {
    match value {
        AMQPValue::LongLongInt(number) => Some(*number),
        AMQPValue::Timestamp(seconds) => i64::try_from(*seconds).ok(),
        _ => None,
    }
}
