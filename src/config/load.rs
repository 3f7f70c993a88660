use std::{collections::BTreeMap, path::PathBuf};

use config::{ConfigError as ValueError, Map, Value, ValueKind};
use serde::de::DeserializeOwned;

use super::{
    Config, ConfigError, Origin, Problem, Problems, Setting,
    layers::{self, Layer, SECRETS},
};

pub const DEFAULTS: &str = include_str!("default.toml");

/// What to read. The environment is a parameter, so that tests need not change their own.
#[derive(Debug, Default, Clone)]
pub struct Sources {
    /// Defaults of a command: its name, and keys with their values as text.
    pub command: Option<(&'static str, Vec<(&'static str, String)>)>,
    /// `--config FILE`.
    pub file: Option<PathBuf>,
    /// All variables; only those that begin with `TIDINGS__` are looked at.
    pub environment: Vec<(String, String)>,
    /// Flag, key and value as text.
    pub flags: Vec<(&'static str, &'static str, String)>,
}

impl Sources {
    /// With the environment of this process. A variable that is no UTF-8 is not ours.
    pub fn from_process(file: Option<PathBuf>) -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        };
        Self { file, environment: std::env::vars_os().filter_map(text).collect(), ..Self::default() }
    }
}

/// A valid configuration, and where each of its values was said.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: Config,
    /// By key, `section.name`; keys that have their default are not in it.
    pub origins: BTreeMap<String, Origin>,
    /// Settings that work but should not stay as they are.
    pub warnings: Vec<String>,
}

/// Reads, merges and validates; every problem is in the error.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let mut problems = Problems::default();
    let defaults = defaults();
    let mut said = Layer::new();
    for mut layer in read(sources, &defaults, &mut problems) {
        refuse_unknown(&mut layer, &defaults, &mut problems);
        said.extend(layer);
    }
    layers::read_secret_files(&mut said, &defaults, &mut problems);
    refuse_bad_values(&mut said, &defaults, &mut problems);

    let origins = said.iter().map(|(key, it)| (key.clone(), it.origin.clone())).collect();
    let mut merged = defaults;
    merged.extend(said);
    let config: Config = match deserialize(&merged) {
        Ok(config) => config,
        Err(error) => {
            problems.rule(reason(&error));
            return Err(problems.into_error());
        }
    };
    config.check(&mut problems);
    if !problems.is_empty() {
        return Err(problems.into_error());
    }
    let mut warnings = Vec::new();
    config.auth.warn(&mut warnings);
    Ok(Loaded { config, origins, warnings })
}

pub fn defaults() -> Layer {
    layers::from_toml(DEFAULTS, &Origin::Default).expect("default.toml is TOML, see the test below")
}

/// The layers above the defaults, the weakest first.
fn read(sources: &Sources, known: &Layer, problems: &mut Problems) -> Vec<Layer> {
    let mut all = Vec::new();
    if let Some((command, settings)) = &sources.command {
        let said = |(key, text): &(&str, String)| {
            let value = layers::from_text(key, text, known);
            ((*key).to_owned(), Setting { value, origin: Origin::Command(command) })
        };
        all.push(settings.iter().map(said).collect());
    }
    if let Some(path) = &sources.file {
        match std::fs::read_to_string(path) {
            Ok(text) => match layers::from_toml(&text, &Origin::File(path.clone())) {
                Ok(layer) => all.push(layer),
                Err(error) => {
                    problems.add(Problem::Syntax { path: path.display().to_string(), reason: error })
                }
            },
            Err(source) => {
                problems.add(Problem::File { path: path.display().to_string(), source });
            }
        }
    }
    all.push(layers::from_environment(&sources.environment, known));
    let said = |(flag, key, text): &(&'static str, &str, String)| {
        let value = layers::from_text(key, text, known);
        ((*key).to_owned(), Setting { value, origin: Origin::Flag(flag) })
    };
    all.push(sources.flags.iter().map(said).collect());
    all
}

fn refuse_unknown(layer: &mut Layer, known: &Layer, problems: &mut Problems) {
    layer.retain(|key, setting| {
        let is_known = known.contains_key(key) || twins().any(|twin| twin == *key);
        if !is_known {
            // Name keys as they are written where this one was found.
            let write = |key: &str| match &setting.origin {
                Origin::Environment(_) => layers::variable(key),
                _ => key.to_owned(),
            };
            problems.add(Problem::UnknownKey {
                key: write(key),
                origin: setting.origin.clone(),
                nearest: nearest(key, known).map(|key| write(&key)),
            });
        }
        is_known
    });
}

/// The keys that name a file with a secret in it.
fn twins() -> impl Iterator<Item = String> {
    SECRETS.iter().map(|secret| format!("{secret}_file"))
}

/// The known key that looks most like this one, if any does.
fn nearest(key: &str, known: &Layer) -> Option<String> {
    known
        .keys()
        .cloned()
        .chain(twins())
        .map(|known| (strsim::jaro_winkler(key, &known), known))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}

/// Tries each value alone upon the defaults, so that all the wrong ones are found.
fn refuse_bad_values(said: &mut Layer, defaults: &Layer, problems: &mut Problems) {
    said.retain(|key, setting| {
        let mut trial = defaults.clone();
        trial.insert(key.clone(), setting.clone());
        let Err(error) = deserialize::<Config>(&trial) else {
            return true;
        };
        let is_secret = SECRETS.contains(&key.as_str());
        let value = if is_secret { "***".to_owned() } else { written(&setting.value) };
        problems.add(Problem::BadValue {
            key: key.clone(),
            value,
            origin: setting.origin.clone(),
            reason: reason(&error),
        });
        false
    });
}

/// A value as TOML has it.
fn written(value: &Value) -> String {
    match &value.kind {
        ValueKind::String(text) => format!("\"{text}\""),
        ValueKind::Array(entries) => {
            let entries: Vec<_> = entries.iter().map(written).collect();
            format!("[{}]", entries.join(", "))
        }
        other => other.to_string(),
    }
}

fn deserialize<T: DeserializeOwned>(layer: &Layer) -> Result<T, ValueError> {
    let mut root: Map<String, Value> = Map::new();
    for (key, setting) in layer {
        let (section, name) = key.split_once('.').unwrap_or(("", key));
        let table =
            root.entry(section.to_owned()).or_insert_with(|| Value::new(None, ValueKind::Table(Map::new())));
        if let ValueKind::Table(table) = &mut table.kind {
            table.insert(name.to_owned(), setting.value.clone());
        }
    }
    Value::new(None, ValueKind::Table(root)).try_deserialize()
}

/// What was expected, without the place, which the caller knows better.
fn reason(error: &ValueError) -> String {
    match error {
        ValueError::At { error, .. } => reason(error),
        ValueError::Type { expected, .. } => format!("expected {expected}"),
        ValueError::Message(text) => text.clone(),
        other => other.to_string(),
    }
}
