#!/usr/bin/env bash
# Measures relay, `tidings dev` and the roles on private services, and prints one table. Arguments go to `tidings-loadtest bench`,
# for example --sockets 1000 --duration 5s --only dev. Reports and the table are left in target/bench.
# `--short` first: a minute without services, on 1,000 sockets; its figures are for the eye, it fails only on a broken promise.
# `--short --debug`: the same with what the tests have built, as they do.
set -euo pipefail
cd "$(dirname "$0")/.."
built=target/release
if [ "${1:-}" = --short ] && [ "${2:-}" = --debug ]; then
  # Slow, but relay and server alike, so their ratio says something. Built as the tests are: alone, the programs would have other
  # features, and most dependencies were compiled again.
  built=target/debug
  cargo test --locked --workspace --test '*' --no-run
else
  cargo build --release --locked -p tidings --bin tidings
  cargo build --release --locked -p tidings-loadtest
fi
if [ "${1:-}" = --short ]; then
  shift
  rates=2000
  [ "${1:-}" != --debug ] || { shift; rates=1000; }
  exec $built/tidings-loadtest bench --tidings $built/tidings --out target/bench-short --only relay,dev \
    --sockets 1000 --duration 3s --rates $rates --group-rates 100 "$@"
fi
folder=$(mktemp -d)
chmod 755 "$folder" # Postgres runs as a user of its own
trap 'scripts/stack.sh down "$folder/stack"; rm -rf "$folder"' EXIT
addresses=$(scripts/stack.sh up "$folder/stack")
eval "$addresses"
target/release/tidings-loadtest bench --tidings target/release/tidings --stack "$folder/stack" --out target/bench "$@"
