//! Commands as values, so that a pipeline can be sent again when a script was not known.

use bytes::Bytes;
use fred::clients::{Client, Pipeline};
use fred::error::Error;
use fred::interfaces::{ClientLike, LuaInterface};
use fred::types::scripts::Script;
use fred::types::{ClusterHash, CustomCommand, Value};

use super::scripts;

/// One command of a pipeline.
pub(super) struct Call {
    name: &'static str,
    /// Where in a cluster it goes.
    place: ClusterHash,
    args: Vec<Value>,
}

impl Call {
    /// A script on keys that share one place.
    pub(super) fn script(script: &Script, keys: Vec<Bytes>, args: impl IntoIterator<Item = Value>) -> Self {
        let mut all = vec![Value::String(script.sha1().clone()), Value::Integer(keys.len() as i64)];
        let place = keys.first().map_or(ClusterHash::Random, place_of);
        all.extend(keys.into_iter().map(Value::Bytes));
        all.extend(args);
        Self { name: "EVALSHA", place, args: all }
    }

    /// Fields of a hash; the answer has one value a field.
    pub(super) fn fields(key: Bytes, fields: impl IntoIterator<Item = Bytes>) -> Self {
        Self::keyed("HMGET", key, fields.into_iter().map(Value::Bytes))
    }

    /// A string.
    pub(super) fn get(key: Bytes) -> Self {
        Self::keyed("GET", key, [])
    }

    /// Sets fields of a hash.
    pub(super) fn set_fields(key: Bytes, pairs: impl IntoIterator<Item = (Bytes, Value)>) -> Self {
        Self::keyed("HSET", key, pairs.into_iter().flat_map(|(field, value)| [Value::Bytes(field), value]))
    }

    pub(super) fn expire(key: Bytes, seconds: i64) -> Self {
        Self::keyed("EXPIRE", key, [Value::Integer(seconds)])
    }

    /// Its answer is how many heard it.
    pub(super) fn publish(channel: Bytes, payload: Bytes, cluster: bool) -> Self {
        Self::keyed(if cluster { "SPUBLISH" } else { "PUBLISH" }, channel, [Value::Bytes(payload)])
    }

    fn keyed(name: &'static str, key: Bytes, args: impl IntoIterator<Item = Value>) -> Self {
        let place = place_of(&key);
        Self { name, place, args: std::iter::once(Value::Bytes(key)).chain(args).collect() }
    }
}

/// fred looks at nothing else in commands that it does not know itself.
fn place_of(key: &Bytes) -> ClusterHash {
    ClusterHash::from(&key[..])
}

/// Sends everything in one pipeline; one answer a call, in their order.
///
/// # Errors
/// The first error among the answers, whatever the others did.
pub(super) async fn send(client: &Client, calls: &[Call]) -> Result<Vec<Value>, Error> {
    match send_once(client, calls).await {
        Err(error) if error.details().starts_with("NOSCRIPT") => {
            // Redis is new, or somebody flushed its scripts. All our calls may be repeated.
            for script in scripts::all() {
                client.script_load_cluster::<Value, _>(script.lua().cloned().unwrap_or_default()).await?;
            }
            send_once(client, calls).await
        }
        outcome => outcome,
    }
}

async fn send_once(client: &Client, calls: &[Call]) -> Result<Vec<Value>, Error> {
    let pipeline: Pipeline<Client> = client.pipeline();
    for call in calls {
        let command = CustomCommand::new_static(call.name, call.place.clone(), false);
        pipeline.custom::<Value, _>(command, call.args.clone()).await?;
    }
    pipeline.try_all::<Value>().await.into_iter().collect()
}
