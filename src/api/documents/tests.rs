//! The documents against the code, and the files that are checked in against the documents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::*;
use crate::protocol::{CloseCode, ErrorCode, parse};

/// Set, the checked-in files are written anew instead of compared.
const WRITE: &str = "TIDINGS_WRITE_DOCUMENTS";

/// `METHOD /path` of every route, as the router's own `Debug` names them: it has no other way to ask. Those of `dev` too.
fn routed() -> BTreeSet<String> {
    let shown =
        format!("{:?}", crate::api::dev::add(crate::api::routes(1, std::time::Duration::from_secs(1))));
    let mut methods = BTreeMap::new();
    let mut routes = BTreeSet::new();
    // First `RouteId(N): MethodRouter(MethodRouter { get: BoxedHandler, head: None, …` each, then `RouteId(N): "/path"`.
    for part in shown.split("RouteId(").skip(1) {
        let Some((id, rest)) = part.split_once("): ") else { continue };
        if rest.starts_with("MethodRouter") {
            let taken = ["get", "delete", "patch", "post", "put"].into_iter().filter(|method| {
                rest.contains(&format!(" {method}: ")) && !rest.contains(&format!(" {method}: None"))
            });
            methods.insert(id, taken.collect::<Vec<_>>());
        } else if let Some(path) = rest.strip_prefix('"').and_then(|rest| rest.split('"').next()) {
            let taken = methods.get(id).into_iter().flatten();
            routes.extend(taken.map(|method| format!("{} {path}", method.to_uppercase())));
        }
    }
    routes
}

fn documented() -> BTreeSet<String> {
    let document = openapi();
    let paths = document["paths"].as_object().unwrap();
    let of = |(path, item): (&String, &Value)| {
        let methods: Vec<String> = item.as_object().unwrap().keys().cloned().collect();
        methods.into_iter().map(|method| format!("{} {path}", method.to_uppercase())).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of).collect()
}

#[test]
fn the_openapi_document_has_every_route_of_the_api_and_no_other() {
    let of_api = |route: &String| route.contains(" /v1/");
    let routed: BTreeSet<String> = routed().into_iter().filter(of_api).collect();
    assert!(routed.len() > 30, "the router shows its routes otherwise now: {routed:?}");
    assert_eq!(routed, documented());
}

#[test]
fn every_operation_has_a_name_of_its_own_a_summary_and_a_good_answer() {
    let document = openapi();
    let mut names = BTreeSet::new();
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            assert!(names.insert(operation["operationId"].as_str().unwrap()), "{operation}");
            assert!(operation["summary"].as_str().is_some_and(|text| text.len() > 5), "{operation}");
            let statuses = operation["responses"].as_object().unwrap();
            assert!(statuses.keys().any(|status| !status.starts_with(['4', '5'])), "{operation}");
        }
    }
}

#[test]
fn whatever_the_documents_refer_to_is_there() {
    for document in [openapi(), asyncapi()] {
        let mut references = Vec::new();
        collect(&document, &mut references);
        assert!(references.len() > 20);
        for reference in references {
            let pointer = reference.strip_prefix('#').expect("within the document");
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            references.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

#[test]
fn the_server_takes_every_frame_that_the_asyncapi_document_has_from_clients() {
    let document = asyncapi();
    let messages = document["components"]["messages"].as_object().unwrap();
    let types: Vec<&str> = messages.keys().filter_map(|name| name.strip_prefix("client.")).collect();
    assert_eq!(types.len(), 14, "{types:?}");
    for kind in types {
        let bad = parse(format!(r#"{{"type":"{kind}"}}"#).as_bytes()).err();
        assert!(bad.is_none_or(|bad| bad.code != ErrorCode::Unsupported), "{kind}");
    }
    assert_eq!(messages.keys().filter(|name| name.starts_with("server.")).count(), 13);
}

#[test]
fn the_asyncapi_document_names_every_close_code() {
    let document = asyncapi().to_string();
    for code in CloseCode::ALL.iter().filter(|code| !code.reason().is_empty()) {
        assert!(document.contains(&format!("{} {}", code.number(), code.reason())), "{code:?}");
    }
}

#[test]
fn the_page_shows_every_operation_frame_and_error_and_asks_nobody_else() {
    let page = &*PAGE;
    for item in openapi()["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            assert!(page.contains(&format!("<section id={}>", operation["operationId"])), "{operation}");
        }
    }
    for name in asyncapi()["components"]["messages"].as_object().unwrap().keys() {
        assert!(page.contains(&format!("<section id=\"{name}\">")), "{name}");
    }
    for code in ErrorCode::ALL {
        assert!(page.contains(&format!("id=\"error.{}\"", code.as_str())));
    }
    for elsewhere in ["http://", "https://", "//", "<script", "style="] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
}

#[test]
fn the_documents_that_are_checked_in_are_those_of_the_code() {
    for (name, document) in [("openapi.json", openapi()), ("asyncapi.json", asyncapi())] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
        let current = format!("{document:#}\n");
        if std::env::var_os(WRITE).is_some() {
            std::fs::write(&path, &current).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == current, "docs/{name} is out of date: run `make docs`");
    }
}
