use std::{fmt, path::Path, time::Duration};

use super::{Origin, Secret};

/// Everything that is wrong with a configuration, reported at once. Exit code 2.
#[derive(Debug, thiserror::Error)]
pub struct ConfigError {
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [only] => write!(to, "configuration: {only}"),
            all => {
                write!(to, "configuration has {} problems:", all.len())?;
                all.iter().try_for_each(|problem| write!(to, "\n  {problem}"))
            }
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("unknown key {key} ({origin}); {}", suggestion(nearest))]
    UnknownKey { key: String, origin: Origin, nearest: Option<String> },
    #[error("{key} = {value} ({origin}): {reason}")]
    BadValue { key: String, value: String, origin: Origin, reason: String },
    #[error("{key} ({origin}): cannot read {path}: {source}")]
    Unreadable { key: String, origin: Origin, path: String, source: std::io::Error },
    #[error("{key} is given twice: by {first} and by {second}")]
    Twice { key: String, first: Origin, second: Origin },
    #[error("cannot read {path}: {source}")]
    File { path: String, source: std::io::Error },
    #[error("{path} is not TOML: {reason}")]
    Syntax { path: String, reason: String },
    #[error("{0}")]
    Rule(String),
}

fn suggestion(nearest: &Option<String>) -> String {
    match nearest {
        Some(key) => format!("did you mean {key}?"),
        None => "see `tidings check-config` for every key".to_owned(),
    }
}

/// Collects problems while the configuration is read and checked.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub fn add(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn into_error(self) -> ConfigError {
        ConfigError { problems: self.0 }
    }

    pub fn rule(&mut self, text: impl Into<String>) {
        self.add(Problem::Rule(text.into()));
    }

    pub fn both_or_neither(&mut self, first: (&str, bool), second: (&str, bool)) {
        let (set, missing) = match (first.1, second.1) {
            (true, false) => (first.0, second.0),
            (false, true) => (second.0, first.0),
            _ => return,
        };
        self.rule(format!("{set} is set but {missing} is not; they belong together"));
    }

    /// The file is there and can be opened; found at start and not at the first use.
    pub fn file(&mut self, key: &str, path: Option<&Path>) {
        let Some(path) = path else { return };
        if let Err(error) = std::fs::File::open(path) {
            self.rule(format!("{key}: cannot open {}: {error}", path.display()));
        }
    }

    pub fn at_least(&mut self, key: &str, value: usize, least: usize) {
        if value < least {
            self.rule(format!("{key} must be at least {least}, not {value}"));
        }
    }

    pub fn positive(&mut self, key: &str, value: Duration) {
        if value.is_zero() {
            self.rule(format!("{key} must be longer than 0s"));
        }
    }

    pub fn less(&mut self, key: &str, value: Duration, than: &str, limit: Duration) {
        if value >= limit {
            self.rule(format!("{key} ({value:?}) must be less than {than} ({limit:?})"));
        }
    }

    pub fn scheme(&mut self, key: &str, url: Option<&Secret>, schemes: &[&str]) {
        let Some(url) = url else { return };
        let has = |scheme: &&str| {
            let rest = url.expose().strip_prefix(*scheme).and_then(|rest| rest.strip_prefix("://"));
            rest.is_some_and(|rest| !rest.is_empty())
        };
        if !schemes.iter().any(has) {
            self.rule(format!("{key} must be an address that begins with {}://", schemes.join(":// or ")));
        }
    }

    pub fn http_url(&mut self, key: &str, url: Option<&str>) {
        let Some(url) = url else { return };
        if !url.starts_with("https://") && !url.starts_with("http://") {
            self.rule(format!(
                "{key} must be an address that begins with https:// or http://, not \"{url}\""
            ));
        }
    }

    /// Names of queues and keys are built from it, and the broker bounds their length.
    pub fn prefix(&mut self, key: &str, prefix: &str) {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(allowed) {
            self.rule(format!("{key} must be 1 to 64 letters, digits, '-', '_' or '.', not \"{prefix}\""));
        }
    }

    /// Every `{field}` of a template is one that exists.
    pub fn template(&mut self, key: &str, template: &str, fields: &[&str]) {
        for part in template.split('{').skip(1) {
            let field = part.split_once('}').map(|(field, _)| field);
            if !field.is_some_and(|field| fields.contains(&field)) {
                self.rule(format!("{key}: \"{template}\" may use {{{}}} only", fields.join("}, {")));
                return;
            }
        }
    }

    pub fn required<'a>(&mut self, key: &str, value: Option<&'a Secret>) -> Option<&'a Secret> {
        if value.is_none() {
            let variable = super::layers::variable(key);
            self.rule(format!("{key} is not set; set it in the file, or {variable}, or {variable}_FILE"));
        }
        value
    }
}
