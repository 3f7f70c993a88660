//! One layer of settings: what a file, the environment or flags said, by key.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use config::{File, FileFormat, Map, Source, Value, ValueKind};

use super::{Problem, Problems};

/// `TIDINGS_PORT` and the like, which Kubernetes injects, do not begin with this.
const PREFIX: &str = "TIDINGS__";

/// Keys that may be read from a file named by the same key with `_file` behind it.
pub const SECRETS: [&str; 10] = [
    "auth.hs256_secret",
    "auth.server_keys",
    "auth.signing_secret",
    "rabbitmq.url",
    "postgres.url",
    "redis.url",
    "apns.proxy",
    "fcm.proxy",
    "webpush.vapid_private_key",
    "webpush.proxy",
];

/// Where a setting was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    /// The default of a command, such as `tidings dev`.
    Command(&'static str),
    File(PathBuf),
    Environment(String),
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => to.write_str("default"),
            Self::Command(command) => write!(to, "default of `{command}`"),
            Self::File(path) => write!(to, "{}", path.display()),
            Self::Environment(name) => write!(to, "environment {name}"),
            Self::Flag(flag) => write!(to, "flag {flag}"),
        }
    }
}

/// A value and where it was said.
#[derive(Debug, Clone)]
pub struct Setting {
    pub value: Value,
    pub origin: Origin,
}

/// The settings of one layer by key, `section.name`.
pub type Layer = BTreeMap<String, Setting>;

/// The environment variable of a key.
pub fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "__"))
}

/// The error says in which line it is and never what the line holds, which may be a secret.
pub fn from_toml(text: &str, origin: &Origin) -> Result<Layer, String> {
    if let Err(error) = text.parse::<toml::Table>() {
        let before = error.span().map_or("", |span| text.get(..span.start).unwrap_or(text));
        let line = before.matches('\n').count() + 1;
        return Err(format!("line {line}: {}", error.message()));
    }
    let table = File::from_str(text, FileFormat::Toml)
        .collect()
        .map_err(|_| "it cannot be read as settings".to_owned())?;
    let mut layer = Layer::new();
    flatten("", table, origin, &mut layer);
    Ok(layer)
}

fn flatten(prefix: &str, table: Map<String, Value>, origin: &Origin, layer: &mut Layer) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value.kind {
            ValueKind::Table(table) => flatten(&key, table, origin, layer),
            _ => {
                layer.insert(key, Setting { value, origin: origin.clone() });
            }
        }
    }
}

/// Variables that are ours; lists are split at commas where `known` has a list.
pub fn from_environment(variables: &[(String, String)], known: &Layer) -> Layer {
    let mut layer = Layer::new();
    for (name, text) in variables {
        let Some(path) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let key = path.to_ascii_lowercase().replace("__", ".");
        let value = from_text(&key, text, known);
        layer.insert(key, Setting { value, origin: Origin::Environment(name.clone()) });
    }
    layer
}

/// A value written as text, in the environment or behind a flag.
pub fn from_text(key: &str, text: &str, known: &Layer) -> Value {
    let is_list = known.get(key).is_some_and(|it| matches!(it.value.kind, ValueKind::Array(_)));
    if is_list { list(text) } else { Value::new(None, text.to_owned()) }
}

fn list(text: &str) -> Value {
    let entries = text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty());
    Value::new(None, entries.map(|entry| Value::new(None, entry.to_owned())).collect::<Vec<_>>())
}

/// Replaces `…_file` of a secret by what the file holds, without the end of its last line.
pub fn read_secret_files(layer: &mut Layer, known: &Layer, problems: &mut Problems) {
    for key in SECRETS {
        let Some(twin) = layer.remove(&format!("{key}_file")) else {
            continue;
        };
        let path = twin.value.into_string().unwrap_or_default();
        if path.is_empty() {
            continue;
        }
        let said = layer.get(key).filter(|said| !is_empty(&said.value));
        if let Some(said) = said {
            problems.add(Problem::Twice {
                key: key.to_owned(),
                first: said.origin.clone(),
                second: twin.origin,
            });
            continue;
        }
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let text = text.trim_end_matches(['\r', '\n']);
                if text.is_empty() {
                    problems.rule(format!("{key} ({}): {path} is empty", twin.origin));
                }
                let value = from_text(key, text, known);
                layer.insert(key.to_owned(), Setting { value, origin: twin.origin });
            }
            Err(source) => problems.add(Problem::Unreadable {
                key: format!("{key}_file"),
                origin: twin.origin,
                path,
                source,
            }),
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match &value.kind {
        ValueKind::String(text) => text.is_empty(),
        ValueKind::Array(entries) => entries.is_empty(),
        _ => false,
    }
}
