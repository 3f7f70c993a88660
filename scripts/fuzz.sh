#!/usr/bin/env bash
# Fuzzes what strangers and other releases hand us: client frames, queue payloads, tokens. SECONDS_EACH says how long, TARGETS which.
# Needs a nightly compiler and a C++ compiler; installs cargo-fuzz below target/tools.
set -euo pipefail
cd "$(dirname "$0")/.."
each=${SECONDS_EACH:-600}
read -ra targets <<<"${TARGETS:-client_frame_json client_frame_msgpack queue_batch token}"
tools=$PWD/target/tools

rustup run nightly rustc --version >/dev/null 2>&1 || {
  echo "fuzz: a nightly compiler is needed: rustup toolchain install nightly" >&2
  exit 1
}
[ -x "$tools/bin/cargo-fuzz" ] || cargo install --quiet --locked --root "$tools" cargo-fuzz
export PATH="$tools/bin:$PATH" CARGO_TARGET_DIR="$PWD/target/fuzz"
for target in "${targets[@]}"; do
  echo "== $target: $each s"
  # What is found goes to a folder of the run's own; the corpus that is kept is only read.
  mkdir -p "target/fuzz/found/$target"
  cargo +nightly fuzz run --sanitizer none "$target" "$PWD/target/fuzz/found/$target" "$PWD/fuzz/corpus/$target" -- \
    -max_total_time="$each" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
done
