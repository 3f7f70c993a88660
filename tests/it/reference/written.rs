//! The examples that are written in `docs/protocol.md`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use tidings::protocol::ErrorCode;

use super::conversation::Scene;

/// Set, the examples in the document are written anew instead of compared.
const WRITE: &str = "TIDINGS_WRITE_DOCUMENTS";

fn document() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/protocol.md")
}

/// Before each example stands `<!-- example: NAME -->`, then the block.
const MARK: &str = "<!-- example: ";
const OPEN: &str = "```json\n";
const CLOSE: &str = "\n```";

/// The document with these examples in the place of its own, and those that it had.
fn replaced(text: &str, examples: &BTreeMap<String, String>) -> (String, BTreeMap<String, String>) {
    let (mut new, mut had) = (String::new(), BTreeMap::new());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(MARK) {
        let (name, after) = after.split_once(" -->\n").expect("a mark ends with its line");
        let (_, block) = after.split_once(OPEN).expect("after a mark comes a block");
        let (example, after) = block.split_once(CLOSE).expect("a block ends");
        assert!(had.insert(name.to_owned(), example.to_owned()).is_none(), "two examples are called {name}");
        let current = examples.get(name).map_or(example, String::as_str);
        new.push_str(&format!("{before}{MARK}{name} -->\n{OPEN}{current}{CLOSE}"));
        rest = after;
    }
    new.push_str(rest);
    (new, had)
}

#[tokio::test]
async fn the_reference_shows_every_frame_and_error_as_they_are() {
    let mut scene = Scene::new().await;
    scene.play().await;
    scene.play_limits().await;
    scene.encode_the_rest();
    is_complete(&scene);

    let text = std::fs::read_to_string(document()).expect("docs/protocol.md is there");
    let (new, had) = replaced(&text, scene.examples.texts());
    let names = |examples: &BTreeMap<String, String>| examples.keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        names(&had),
        names(scene.examples.texts()),
        "the examples of docs/protocol.md, and of the conversation"
    );
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(document(), &new).unwrap();
        return;
    }
    for (name, example) in scene.examples.texts() {
        assert_eq!(&had[name], example, "{name}: if this is right, run `make docs`");
    }
}

/// Every frame of either side, every kind of entry and every error code has an example.
fn is_complete(scene: &Scene) {
    let document = tidings::api::asyncapi();
    let messages = document["components"]["messages"].as_object().unwrap();
    // Those of the server that no frame of a client could be taken for.
    let of_server =
        |name: &String| !name.starts_with("http") && !messages.contains_key(&format!("client.{name}"));
    let examples = scene.examples.values.iter().filter(|(name, _)| of_server(name));
    let shown: Vec<&Value> = examples.map(|(_, value)| value).collect();
    for (name, message) in messages {
        let kind = message["name"].as_str().unwrap();
        // What a client says is called like its type, what the server says need not be.
        let there = match name.starts_with("client.") {
            true => scene.examples.values.get(kind).is_some_and(|frame| frame["type"] == kind),
            false => shown.iter().any(|frame| frame["type"] == kind),
        };
        assert!(there, "{name} has no example");
    }
    let kinds = document["components"]["schemas"]["EntryKind"]["enum"].as_array().unwrap();
    for kind in kinds {
        assert!(shown.iter().any(|frame| frame["type"] == "message" && frame["kind"] == *kind), "{kind}");
    }
    for code in ErrorCode::ALL {
        assert!(
            shown.iter().any(|frame| frame["type"] == "error" && frame["code"] == code.as_str()),
            "{code:?}"
        );
    }
}
