//! The programs that come with Postgres.

use std::path::PathBuf;
use std::process::Command;

/// Runs `pg_dump` and the like, which stand beside the server; what it printed.
pub async fn run(arguments: &[&str]) -> String {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut folders: Vec<PathBuf> =
        installed.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    folders.sort();
    folders.reverse();
    folders.push("/usr/bin".into());
    let found = folders.iter().map(|folder| folder.join(arguments[0])).find(|program| program.exists());
    let mut command = Command::new(found.expect("Postgres' programs are installed"));
    command.args(&arguments[1..]);
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let output = output.expect("it does not panic").expect("it can be run");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints text")
}
