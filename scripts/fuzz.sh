#!/usr/bin/env bash
# Fuzzes what strangers and other releases hand us: client frames, queue payloads, tokens (examples/fuzz.rs, corpus in fuzz/corpus).
# SECONDS_EACH says how long, TARGETS which, SEED repeats a run.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -n "${FUZZ_BIN:-}" ] || { cargo build --locked --example fuzz && FUZZ_BIN=target/debug/examples/fuzz; }
for target in ${TARGETS:-client_frame_json client_frame_msgpack queue_batch token}; do
  # shellcheck disable=SC2086 # no seed is no argument
  "$FUZZ_BIN" "$target" "${SECONDS_EACH:-600}" ${SEED:-}
done
