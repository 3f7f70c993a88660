//! The probe that `helm test` runs.

use std::process::Command;

use crate::support::server::SECRET;
use crate::support::world::World;

crate::on_both_worlds!(a_probe_sends_a_message_through);

async fn a_probe_sends_a_message_through(world: &World) {
    let url = format!("http://{}", world.there);
    let probe = tokio::task::spawn_blocking(move || {
        Command::new(env!("CARGO_BIN_EXE_tidings"))
            .args(["probe", "--url", &url, "--timeout", "20s"])
            .env("TIDINGS__AUTH__HS256_SECRET", SECRET)
            .output()
            .expect("the binary can be run")
    });
    let output = probe.await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("a message went through in "));
}
