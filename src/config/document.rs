//! `docs/configuration.md`, made from the comments of `default.toml`.

use super::{
    layers::{SECRETS, variable},
    load::DEFAULTS,
};

/// One section of `default.toml` as it is written there.
pub struct Section {
    pub name: String,
    pub about: String,
    pub keys: Vec<Key>,
}

/// One key with its comment.
pub struct Key {
    pub name: String,
    pub about: String,
    pub default: String,
}

/// The sections in the order of the file.
pub fn sections() -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut comment = String::new();
    for line in DEFAULTS.lines() {
        if let Some(text) = line.strip_prefix('#') {
            if !comment.is_empty() {
                comment.push(' ');
            }
            comment.push_str(text.trim());
        } else if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            let about = std::mem::take(&mut comment);
            sections.push(Section { name: name.to_owned(), about, keys: Vec::new() });
        } else if let (Some((name, default)), Some(section)) = (line.split_once(" = "), sections.last_mut()) {
            section.keys.push(Key {
                name: name.to_owned(),
                about: std::mem::take(&mut comment),
                default: default.to_owned(),
            });
        } else {
            // An empty line: the comment above it belongs to the file.
            comment.clear();
        }
    }
    sections
}

/// The reference of every setting, for `docs/configuration.md`.
pub fn markdown() -> String {
    let mut page = String::from(INTRODUCTION);
    for section in sections() {
        page.push_str(&format!("\n## `[{}]`\n\n{}\n\n", section.name, section.about));
        page.push_str("| key | default | meaning |\n|---|---|---|\n");
        for key in section.keys {
            let path = format!("{}.{}", section.name, key.name);
            let secret = if SECRETS.contains(&path.as_str()) {
                format!(" Secret: `{}_FILE` names a file with it.", variable(&path))
            } else {
                String::new()
            };
            let about = key.about.replace('|', "\\|");
            page.push_str(&format!("| `{}` | `{}` | {about}{secret} |\n", key.name, key.default));
        }
    }
    page
}

const INTRODUCTION: &str = "\
# Configuration

<!-- Made by `tidings check-config --markdown` from src/config/default.toml. Do not edit. -->

Later sources win over earlier ones: the defaults below, `--config FILE` (TOML), the environment,
flags. `server.listen` is `TIDINGS__SERVER__LISTEN` in the environment; lists are comma separated
there. Durations are written `500ms`, `10s`, `1h30m`, sizes `512`, `64KiB`, `1MiB`; an empty text
means \"not set\". A secret may stand in a file of its own, named by the same key with `_file`
(`_FILE` in the environment) behind it; the end of its last line is dropped.

`tidings check-config` prints what is in force, secrets masked, and where each value that is not
a default was said. An unknown key is an error.
";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::load;

    #[test]
    fn every_setting_has_a_comment_and_every_default_is_a_setting() {
        let known = load::defaults();
        let mut documented = 0;
        for section in sections() {
            assert!(section.about.len() > 10, "[{}]", section.name);
            for key in section.keys {
                assert!(key.about.len() > 10, "{}.{}", section.name, key.name);
                assert!(known.contains_key(&format!("{}.{}", section.name, key.name)));
                documented += 1;
            }
        }
        assert_eq!(documented, known.len());
    }

    #[test]
    fn the_reference_in_docs_has_not_drifted() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
        let written = fs::read_to_string(path).unwrap_or_default();
        assert!(
            written == markdown(),
            "write it again: cargo run -q -- check-config --markdown > docs/configuration.md"
        );
    }
}
