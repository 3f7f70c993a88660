//! The probe that `helm test` runs.

use std::process::{Command, Output};

use crate::support::server::SECRET;
use crate::support::world::World;

crate::on_both_worlds!(a_probe_sends_a_message_through);

/// Runs the probe with these settings beside the secret.
async fn probe(world: &World, timeout: &str, settings: &'static [(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    command.args(["probe", "--url", &format!("http://{}", world.there), "--timeout", timeout]);
    command.env("TIDINGS__AUTH__HS256_SECRET", SECRET).envs(settings.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    output.expect("it does not panic").expect("the binary can be run")
}

async fn a_probe_sends_a_message_through(world: &World) {
    let output = probe(world, "20s", &[]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("a message went through in "));
}

#[tokio::test]
async fn a_probe_s_tokens_have_the_issuer_and_the_audience_that_are_asked_for() {
    let world = World::dev(&[("auth__issuer", "the application"), ("auth__audience", "chat")]).await;
    let named = &[("TIDINGS__AUTH__ISSUER", "the application"), ("TIDINGS__AUTH__AUDIENCE", "chat")];
    let output = probe(&world, "20s", named).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let refused = probe(&world, "1s", &[]).await;
    assert!(String::from_utf8_lossy(&refused.stderr).contains("401"));
}
