//! The OpenAPI document. Handlers say what they take and give; what holds for many of them is added here.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use crate::api::problem::Details;
use crate::api::{
    accounts, acks, conversations, dev, devices, me, members, messages, presence, push, relations, sessions,
    trace, users,
};
use crate::gateway::handshake;
use crate::protocol::ErrorCode;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tidings",
        version = "1",
        description = "Real-time messaging that keeps what it accepted. Live delivery is by WebSocket (`/v1/ws`, described by \
                       `/v1/asyncapi.json`); all of this can be done without one.",
        license(name = "MIT", identifier = "MIT")
    ),
    paths(
        accounts::create,
        sessions::create, sessions::end,
        me::read, me::change,
        conversations::list, conversations::create, conversations::read, conversations::change,
        members::list, members::add, members::prefer, members::put, members::remove,
        messages::list, messages::send, messages::send_to_user, trace::read, acks::acknowledge,
        users::list, users::read, users::put, users::remove, users::revoke,
        devices::list, devices::put, devices::remove, devices::test,
        push::read,
        dev::phones, dev::subscribe,
        relations::contacts, relations::contact, relations::add_contact, relations::remove_contact,
        relations::blocks, relations::block, relations::add_block, relations::remove_block,
        presence::list,
        handshake::upgrade,
        super::serve_openapi, super::serve_asyncapi,
    ),
    components(schemas(Details<'static>)),
    security(("user_token" = []), ("server_key" = [], "acting_for" = [])),
)]
struct Routes;

/// The document, complete.
pub fn openapi() -> Value {
    let document = serde_json::to_value(Routes::openapi());
    let mut document = document.expect("the document has string keys only");
    let components = &mut document["components"];
    components["securitySchemes"] = security_schemes();
    components["responses"] =
        ErrorCode::ALL.iter().map(|code| (code.as_str().to_owned(), answer(*code))).collect();
    if let Some(paths) = document["paths"].as_object_mut() {
        for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
            complete(operation);
        }
    }
    never_null_in_answers(&mut document);
    document
}

fn security_schemes() -> Value {
    json!({
        "user_token": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "A user's token: from signing in, or from the application's own backend."
        },
        "server_key": {
            "type": "http", "scheme": "bearer",
            "description": "One of `auth.server_keys`, for an application's backend."
        },
        "acting_for": {
            "type": "apiKey", "in": "header", "name": "X-Tidings-User",
            "description": "With a server key: the user for whom the backend acts."
        }
    })
}

/// The answer that carries an error code.
fn answer(code: ErrorCode) -> Value {
    let meaning = match code {
        ErrorCode::BadRequest => "The request is not what this address asks for.",
        ErrorCode::Unauthenticated => "No token, or one that is no good.",
        ErrorCode::Forbidden => "One may see it, but not do this.",
        ErrorCode::NotFound => "It is not there, or not for this user to know of.",
        ErrorCode::TooLarge => "Something is over its limit.",
        ErrorCode::RateLimited => "Too much in too little time; `retry_after_ms` says when to try again.",
        ErrorCode::Conflict => "It does not fit what is there.",
        ErrorCode::Unavailable => "Something that is needed is away; try again after `retry_after_ms`.",
        ErrorCode::Unsupported => "This server does not do that.",
        ErrorCode::Internal => "The server is at fault.",
    };
    let mut answer = json!({
        "description": meaning,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    });
    let header = |text: &str| json!({"description": text, "schema": {"type": "string"}});
    match code {
        ErrorCode::RateLimited | ErrorCode::Unavailable => {
            answer["headers"] = json!({"Retry-After": header("Seconds, rounded up.")});
        }
        ErrorCode::Unauthenticated => answer["headers"] = json!({"WWW-Authenticate": header("`Bearer`")}),
        _ => {}
    }
    answer
}

/// Adds the answers that follow from what an operation takes, and a name that is unique.
fn complete(operation: &mut Value) {
    let tag = operation["tags"][0].as_str().unwrap_or_default();
    let tag = tag.rsplit("::").next().unwrap_or_default().to_owned();
    if let Some(name) = operation["operationId"].as_str() {
        operation["operationId"] = format!("{tag}_{}", name.trim_start_matches("serve_")).into();
    }
    let mut codes = BTreeSet::new();
    // `security` that is missing is that of the document; `[{}]` is none.
    let open = operation["security"] == json!([{}]);
    if !open {
        codes.extend([400, 401, 403]);
    }
    if !open || operation.get("requestBody").is_some() {
        codes.extend([500, 503]);
    }
    if operation.get("requestBody").is_some() {
        codes.extend([400, 413]);
    }
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    for parameter in parameters {
        codes.insert(if parameter["in"] == "path" { 404 } else { 400 });
    }
    operation["tags"] = json!([tag]);
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    codes.extend(
        responses.keys().filter_map(|status| status.parse::<u16>().ok()).filter(|status| *status >= 400),
    );
    for status in codes {
        let code = ErrorCode::ALL.into_iter().find(|code| code.http_status() == status);
        // A status that belongs to no code says itself what it is.
        let Some(code) = code else { continue };
        let reference = json!({"$ref": format!("#/components/responses/{}", code.as_str())});
        responses.insert(status.to_string(), reference);
    }
    for (status, response) in responses {
        if response.get("$ref").is_none() && response["description"].as_str().is_none_or(str::is_empty) {
            let status =
                status.parse::<u16>().ok().and_then(|status| axum::http::StatusCode::from_u16(status).ok());
            response["description"] =
                status.and_then(|status| status.canonical_reason()).unwrap_or("Done").into();
        }
    }
}

/// A field without a value is left out of answers; only requests may say `null`.
fn never_null_in_answers(document: &mut Value) {
    let mut asked = BTreeSet::new();
    if let Some(paths) = document["paths"].as_object() {
        for operation in paths.values().filter_map(Value::as_object).flat_map(Map::values) {
            reach(&operation["requestBody"], document, &mut asked);
        }
    }
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        for (_, schema) in schemas.iter_mut().filter(|(name, _)| !asked.contains(*name)) {
            never_null(schema);
        }
    }
}

/// The schemas that this one is made of.
fn reach(value: &Value, document: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            if let Some(name) =
                object.get("$ref").and_then(Value::as_str).and_then(|at| at.rsplit('/').next())
                && found.insert(name.to_owned())
            {
                reach(&document["components"]["schemas"][name], document, found);
            }
            object.values().for_each(|value| reach(value, document, found));
        }
        Value::Array(items) => items.iter().for_each(|value| reach(value, document, found)),
        _ => {}
    }
}

/// Takes `null` out of what the fields of a schema may be, unless they are always there.
pub(super) fn never_null(schema: &mut Value) {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    if let Some(Value::Object(fields)) = schema.get_mut("properties") {
        for (_, field) in fields.iter_mut().filter(|(name, _)| !required.iter().any(|always| always == *name))
        {
            without_null(field);
        }
    }
    match schema {
        Value::Object(object) => object.values_mut().for_each(never_null),
        Value::Array(items) => items.iter_mut().for_each(never_null),
        _ => {}
    }
}

fn without_null(field: &mut Value) {
    let Some(field) = field.as_object_mut() else { return };
    if let Some(Value::Array(kinds)) = field.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [only] = &kinds[..] {
            let only = only.clone();
            field.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = field.get_mut("oneOf") {
        choices.retain(|choice| choice["type"] != "null");
        if let [Value::Object(only)] = &choices[..] {
            let only = only.clone();
            field.remove("oneOf");
            field.extend(only);
        }
    }
}
