//! `tidings fake-push` as a developer starts it.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::support::client::SOON;
use crate::support::push;

struct FakePush {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl FakePush {
    fn start(folder: &std::path::Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tidings"))
            .args(["fake-push", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary can be run");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, lines }
    }

    /// The next line of its output that `fits`, and all before it.
    async fn until(&mut self, fits: impl Fn(&str) -> bool) -> String {
        let mut read = String::new();
        loop {
            let next = tokio::time::timeout(SOON, self.lines.next_line()).await;
            let line = next.unwrap_or_else(|_| panic!("no such line within {SOON:?}: {read}"));
            let line = line.expect("it can be read").unwrap_or_else(|| panic!("it ended: {read}"));
            read.push_str(&line);
            read.push('\n');
            if fits(&line) {
                return read;
            }
        }
    }
}

#[tokio::test]
async fn it_prints_the_settings_that_reach_it_and_a_line_for_each_push() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut fake = FakePush::start(folder.path(), &["--topic", "org.tidings.demo"]);
    let printed = fake.until(|line| line.starts_with("TIDINGS__WEBPUSH__CA_FILE=")).await;
    let settings = push::settings(&printed);
    let file = std::fs::read_to_string(folder.path().join("tidings.env")).expect("the same in a file");
    assert_eq!(settings, push::settings(&file));

    let token = "0123456789abcdef".repeat(4);
    push::ring(&push::apns(&settings), &token, "c", "lunch?").await;
    let line = fake.until(|line| line.starts_with("# apns 0123456789ab")).await;
    assert!(line.contains("\"Ann\" \"lunch?\", badge 7") && !line.contains(&token), "{line}");

    let control =
        printed.split_whitespace().find(|word| word.starts_with("http://")).expect("the control port");
    let phone: Value = reqwest::get(format!("{control}/phones/{token}"))
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(phone["alerts"][0]["body"], "lunch?");

    let pid = fake.child.id().expect("it runs").to_string();
    assert!(Command::new("kill").arg(pid).status().await.expect("kill can be run").success());
    let ended = tokio::time::timeout(SOON, fake.child.wait()).await.expect("it ends").expect("a status");
    assert!(ended.success(), "{ended}");
}

#[tokio::test]
async fn its_settings_are_ones_that_tidings_takes() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut fake = FakePush::start(folder.path(), &[]);
    let printed = fake.until(|line| line.starts_with("TIDINGS__WEBPUSH__CA_FILE=")).await;
    let checked = Command::new(env!("CARGO_BIN_EXE_tidings"))
        .arg("check-config")
        .envs(push::settings(&printed))
        .output()
        .await
        .expect("the binary can be run");
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
}

#[tokio::test]
async fn a_topic_that_was_not_named_is_refused_as_apple_does() {
    use tidings::push::provider::Provider as _;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut fake = FakePush::start(folder.path(), &["--topic", "org.example.other"]);
    let printed = fake.until(|line| line.starts_with("TIDINGS__WEBPUSH__CA_FILE=")).await;
    let notification = push::notification(&"ab".repeat(32), "c", "lunch?");
    let delivery = push::apns(&push::settings(&printed)).deliver(&notification).await;
    assert_eq!(delivery.outcome.reason(), Some("TopicDisallowed"), "{:?}", delivery.outcome);
}
