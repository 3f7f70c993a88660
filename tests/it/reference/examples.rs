//! Examples as they are kept in `docs/protocol.md`: ids and times differ from run to run, so they are replaced.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value, json};

/// Examples by name, as they are to be read.
#[derive(Default)]
pub struct Examples {
    shown: BTreeMap<String, String>,
    pub values: BTreeMap<String, Value>,
    ids: BTreeMap<String, String>,
}

const TIME: &str = "2026-01-31T12:00:00.000Z";
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTc2OTg2NDQwMH0.c2lnbmF0dXJl";
/// Longest line.
const WIDTH: usize = 120;
/// The fields that are read first; others follow by name.
const ORDER: [&str; 12] = [
    "type",
    "ref",
    "token",
    "conversation_id",
    "to",
    "id",
    "seq",
    "kind",
    "sender_id",
    "client_id",
    "target_seq",
    "text",
];

impl Examples {
    pub fn add(&mut self, name: &str, value: &Value) {
        let mut shown = value.clone();
        self.settle("", &mut shown);
        let text = written(&shown);
        assert!(self.shown.insert(name.to_owned(), text).is_none(), "two examples are called {name}");
        self.values.insert(name.to_owned(), value.clone());
    }

    pub fn texts(&self) -> &BTreeMap<String, String> {
        &self.shown
    }

    /// Makes it the same in every run.
    fn settle(&mut self, key: &str, value: &mut Value) {
        match value {
            Value::Object(object) => {
                *object = std::mem::take(object)
                    .into_iter()
                    .map(|(key, mut value)| {
                        self.settle(&key, &mut value);
                        (self.id(&key).unwrap_or(key), value)
                    })
                    .collect();
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.settle(key, item)),
            Value::String(_) if key == "token" => *value = TOKEN.into(),
            Value::String(_) if key.ends_with("_at") || key == "server_time" => *value = TIME.into(),
            Value::String(text) => {
                if let Some(id) = self.id(text) {
                    *value = id.into();
                }
            }
            Value::Number(_) if key.ends_with("after_ms") => *value = 1000.into(),
            _ => {}
        }
    }

    /// Ids are numbered as they come.
    fn id(&mut self, text: &str) -> Option<String> {
        uuid::Uuid::parse_str(text).ok()?;
        let number = self.ids.len() + 1;
        let new = format!("0192f0c0-0000-7000-8000-{number:012}");
        Some(self.ids.entry(text.to_owned()).or_insert(new).clone())
    }
}

fn written(value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, value, 0);
    text
}

fn write_value(out: &mut String, value: &Value, depth: usize) {
    let line = one_line(value);
    if 2 * depth + line.len() <= WIDTH {
        out.push_str(&line);
        return;
    }
    let indent = "  ".repeat(depth + 1);
    match value {
        Value::Object(object) => {
            let mut fields = ordered(object).into_iter().peekable();
            out.push_str("{\n");
            while let Some((key, value)) = fields.next() {
                let _ = write!(out, "{indent}{}: ", json!(key));
                write_value(out, value, depth + 1);
                out.push_str(if fields.peek().is_some() { ",\n" } else { "\n" });
            }
            let _ = write!(out, "{}}}", "  ".repeat(depth));
        }
        Value::Array(items) => {
            out.push_str("[\n");
            for (at, item) in items.iter().enumerate() {
                out.push_str(&indent);
                write_value(out, item, depth + 1);
                out.push_str(if at + 1 < items.len() { ",\n" } else { "\n" });
            }
            let _ = write!(out, "{}]", "  ".repeat(depth));
        }
        _ => out.push_str(&line),
    }
}

fn one_line(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let fields: Vec<String> = ordered(object)
                .iter()
                .map(|(key, value)| format!("{}: {}", json!(key), one_line(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(one_line).collect::<Vec<_>>().join(", ")),
        plain => plain.to_string(),
    }
}

fn ordered(object: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut fields: Vec<_> = object.iter().collect();
    let place = |key: &str| ORDER.iter().position(|known| *known == key).unwrap_or(ORDER.len());
    fields.sort_by_key(|(key, _)| (place(key), key.as_str()));
    fields
}
