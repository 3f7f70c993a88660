#!/usr/bin/env bash
# Measures relay, `tidings dev` and the roles on private services, and prints one table. Arguments go to `tidings-loadtest bench`,
# for example --sockets 1000 --duration 5s --only dev. Reports and the table are left in target/bench.
# `--short` first: a minute without services, on 1,000 sockets; its figures are for the eye, it fails only on a broken promise.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --locked -p tidings --bin tidings
cargo build --release --locked -p tidings-loadtest
if [ "${1:-}" = --short ]; then
  shift
  exec target/release/tidings-loadtest bench --tidings target/release/tidings --out target/bench-short --only relay,dev \
    --sockets 1000 --duration 3s --rates 2000 --group-rates 100 "$@"
fi
folder=$(mktemp -d)
chmod 755 "$folder" # Postgres runs as a user of its own
trap 'scripts/stack.sh down "$folder/stack"; rm -rf "$folder"' EXIT
addresses=$(scripts/stack.sh up "$folder/stack")
eval "$addresses"
target/release/tidings-loadtest bench --tidings target/release/tidings --stack "$folder/stack" --out target/bench "$@"
