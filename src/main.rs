//! Arguments, configuration, telemetry, role.

use std::process::ExitCode;

/// A gateway frees on one thread what another allocated, all day: the system's allocator spends twice the time on it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tidings::cli::main()
}
