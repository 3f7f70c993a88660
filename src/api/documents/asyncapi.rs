//! The AsyncAPI document: the frames of the socket, from the types that read and write them.

use serde_json::{Map, Value, json};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::openapi::never_null;
use crate::protocol::{
    ClientFrame, CloseCode, ErrorCode, JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL, Message, ServerFrame,
};

/// The document.
pub fn asyncapi() -> Value {
    let client = frames::<ClientFrame>();
    let mut server = frames::<ServerFrame<'_>>();
    server.insert("message".to_owned(), plain(Message::schema()));
    server.values_mut().for_each(never_null);
    let mut shared = components();
    shared.values_mut().for_each(never_null);

    let mut messages = Map::new();
    let mut operations = Map::new();
    for (name, schema) in client {
        let reply: Vec<Value> = answers(&name).iter().map(|answer| on_channel("server", answer)).collect();
        operations.insert(
            name.clone(),
            json!({"action": "receive", "channel": channel(), "messages": [on_channel("client", &name)]}),
        );
        if !reply.is_empty() {
            operations[&name]["reply"] = json!({"channel": channel(), "messages": reply});
        }
        messages.insert(format!("client.{name}"), message(&name, schema, true));
    }
    let told: Vec<Value> = server.keys().map(|name| on_channel("server", name)).collect();
    operations
        .insert("deliver".to_owned(), json!({"action": "send", "channel": channel(), "messages": told}));
    for (name, schema) in server {
        messages.insert(format!("server.{name}"), message(&name, schema, false));
    }
    let references: Map<String, Value> = messages
        .keys()
        .map(|name| (name.clone(), json!({"$ref": format!("#/components/messages/{name}")})))
        .collect();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tidings", "version": "1", "license": {"name": "MIT"},
            "description": "The socket. Its first frame is `hello`; HTTP is described by `/v1/openapi.json`."
        },
        "defaultContentType": "application/json",
        "channels": {
            "socket": {
                "address": "/v1/ws",
                "description": format!(
                    "Subprotocols `{JSON_SUBPROTOCOL}` (text frames, also when none is offered) and `{MSGPACK_SUBPROTOCOL}` (binary \
                     frames, the same fields). Close codes: {}.", closes()
                ),
                "messages": references,
                "bindings": {"ws": {"method": "GET", "headers": {
                    "type": "object",
                    "properties": {"Authorization": {"type": "string", "description": "`Bearer TOKEN`, or the token goes into `hello`."}}
                }}}
            }
        },
        "operations": operations,
        "components": {"messages": messages, "schemas": shared}
    })
}

fn channel() -> Value {
    json!({"$ref": "#/channels/socket"})
}

fn on_channel(side: &str, name: &str) -> Value {
    json!({"$ref": format!("#/channels/socket/messages/{side}.{name}")})
}

/// What a frame of the client is answered with; an error may come for any.
fn answers(name: &str) -> &'static [&'static str] {
    match name {
        "hello" => &["welcome", "sync", "error"],
        "auth" => &["welcome", "error"],
        "send" | "edit" | "delete" | "react" => &["accepted", "error"],
        "history" => &["history", "error"],
        "sync" => &["sync", "error"],
        "presence" => &["presence", "error"],
        "ping" => &["pong"],
        _ => &[],
    }
}

fn closes() -> String {
    let close = |code: &CloseCode| format!("{} {}", code.number(), code.reason());
    CloseCode::ALL.iter().filter(|code| !code.reason().is_empty()).map(close).collect::<Vec<_>>().join(", ")
}

/// The variants of an enum of frames: name and schema of each.
fn frames<T: PartialSchema>() -> Map<String, Value> {
    let Value::Object(all) = plain(T::schema()) else { return Map::new() };
    let variants = all.get("oneOf").and_then(Value::as_array).cloned().unwrap_or_default();
    variants.iter().filter_map(variant).collect()
}

/// `{properties: {NAME: schema}}`, the one string NAME, or a schema and `{type: NAME}`.
fn variant(variant: &Value) -> Option<(String, Value)> {
    let described = |mut schema: Value| {
        if let Some(text) = variant.get("description") {
            schema["description"] = text.clone();
        }
        schema
    };
    if let Some(name) = variant["enum"][0].as_str() {
        return Some((name.to_owned(), described(json!({"type": "object"}))));
    }
    if let Some([schema, tag]) = variant["allOf"].as_array().map(Vec::as_slice) {
        let name = tag["properties"]["type"]["enum"][0].as_str()?;
        return Some((name.to_owned(), described(schema.clone())));
    }
    let (name, schema) = variant["properties"].as_object()?.iter().next()?;
    Some((name.clone(), described(schema.clone())))
}

fn message(name: &str, mut schema: Value, asks: bool) -> Value {
    let summary = schema.as_object_mut().and_then(|schema| schema.remove("description"));
    let mut own = json!({"type": {"type": "string", "const": name}});
    if asks {
        own["ref"] = json!({
            "type": ["string", "null"], "maxLength": 64,
            "description": "Any string; the answer carries it back."
        });
    }
    json!({
        "name": name,
        "summary": summary,
        "payload": {"allOf": [schema, {"type": "object", "required": ["type"], "properties": own}]}
    })
}

/// The schemas that frames refer to.
fn components() -> Map<String, Value> {
    let mut found = Vec::new();
    ClientFrame::schemas(&mut found);
    ServerFrame::schemas(&mut found);
    Message::schemas(&mut found);
    found.push((Message::name().into_owned(), Message::schema()));
    found.push(("ErrorCode".to_owned(), ErrorCode::schema()));
    found.into_iter().map(|(name, schema)| (name, plain(schema))).collect()
}

fn plain(schema: RefOr<Schema>) -> Value {
    serde_json::to_value(schema).expect("a schema has string keys only")
}
