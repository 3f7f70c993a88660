//! `docs/guarantees.md` names tests; they have to be there.

use std::path::PathBuf;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust tests that the document names, as `` `a::b::name` ``.
fn named(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).filter(|code| code.contains("::")).map(str::to_owned).collect()
}

/// Whether `fn name` stands in the file of its module: an integration test, a unit's, or the load generator's.
fn is_there(test: &str) -> bool {
    let (module, name) = test.rsplit_once("::").expect("a path has parts");
    let module = module.replace("::", "/");
    // The tests of a unit may stand in the unit's own file, below `mod tests`.
    let unit = module.strip_suffix("/tests").unwrap_or(&module).to_owned();
    let files = ["tests/it", "src", "loadtest/src"].into_iter().flat_map(|base| {
        [&module, &unit].map(|module| [format!("{base}/{module}.rs"), format!("{base}/{module}/mod.rs")])
    });
    files.flatten().any(|file| {
        let text = std::fs::read_to_string(root().join(file)).unwrap_or_default();
        text.contains(&format!("fn {name}("))
    })
}

#[test]
fn every_test_that_the_guarantees_name_is_there() {
    let text = std::fs::read_to_string(root().join("docs/guarantees.md")).unwrap();
    let tests = named(&text);
    assert!(tests.len() > 40, "{tests:?}");
    let missing: Vec<&String> = tests.iter().filter(|test| !is_there(test)).collect();
    assert!(missing.is_empty(), "named in docs/guarantees.md, and not there: {missing:#?}");
}

#[test]
fn every_row_of_the_guarantees_names_a_test_or_says_why_there_is_none() {
    let text = std::fs::read_to_string(root().join("docs/guarantees.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| what"));
    let mut count = 0;
    for row in rows {
        count += 1;
        assert!(row.contains("::") || row.contains("no test:") || names_elsewhere(row), "{row}");
    }
    assert!(count > 25, "{count} rows");
}

/// The tests of `tests/it/wire`, by their names.
fn tests_of_the_wire() -> Vec<String> {
    let files = std::fs::read_dir(root().join("tests/it/wire")).unwrap();
    let texts = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    texts.flat_map(|text| text.split("fn ").skip(1).map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn every_error_code_and_every_close_code_has_a_test_named_after_it() {
    let text = std::fs::read_to_string(root().join("docs/protocol.md")).unwrap();
    let tests = tests_of_the_wire();
    let errors: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with('`') && line.contains("` (HTTP "))
        .map(|line| line.split('`').nth(1).expect("it begins with one"))
        .collect();
    let codes: Vec<&str> = tidings::protocol::ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(errors, codes, "docs/protocol.md has every code, in the order of the type");
    for code in codes {
        assert!(tests.iter().any(|test| test.starts_with(&format!("{code}_"))), "no test for {code}");
    }
    let table = text.split("## Close codes").nth(1).unwrap().split("\n## ").next().unwrap();
    for code in tidings::protocol::CloseCode::ALL.map(tidings::protocol::CloseCode::number) {
        // A peer's own good-bye says nothing.
        if code != 1000 {
            assert!(table.contains(&code.to_string()), "docs/protocol.md says nothing of {code}");
            let test = format!("close_{code}_");
            assert!(tests.iter().any(|name| name.starts_with(&test)), "no test for {code}");
        }
    }
}

/// The threats that the design names, each by how its row begins.
const THREATS: [&str; 19] = [
    "cross-site WebSocket",
    "tokens in logs and URLs",
    "another algorithm",
    "`exp`, `nbf`, `iss`, `aud`",
    "keys that a token brings along",
    "the JWKS address",
    "expiry and revocation",
    "passwords",
    "guessing passwords",
    "authorization",
    "enumeration",
    "floods of messages",
    "sockets that say nothing",
    "queues without end",
    "push tokens of others",
    "injection",
    "scripts in messages",
    "supply chain",
    "secrets in Kubernetes",
];

#[test]
fn every_threat_has_its_row() {
    let text = std::fs::read_to_string(root().join("docs/guarantees.md")).unwrap();
    let security = text.split("## Security").nth(1).unwrap().split("\n## ").next().unwrap();
    for threat in THREATS {
        assert!(security.lines().any(|row| row.starts_with(&format!("| {threat}"))), "no row for {threat}");
    }
}

/// Names a test of another language, as `` `file` "name" ``, which is there.
fn names_elsewhere(row: &str) -> bool {
    let parts: Vec<&str> = row.split('`').collect();
    parts.windows(2).any(|pair| {
        let Some(name) = pair[1].strip_prefix(" \"").and_then(|rest| rest.split('"').next()) else {
            return false;
        };
        std::fs::read_to_string(root().join(pair[0])).is_ok_and(|text| text.contains(name))
    })
}
