#!/usr/bin/env bash
# Measures relay, `tidings dev` and the roles on private services, and prints one table. Arguments go to `tidings-loadtest bench`,
# for example --sockets 1000 --duration 5s --only dev. Reports and the table are left in target/bench.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --locked -p tidings --bin tidings
cargo build --release --locked -p tidings-loadtest
folder=$(mktemp -d)
chmod 755 "$folder" # Postgres runs as a user of its own
trap 'scripts/stack.sh down "$folder/stack"; rm -rf "$folder"' EXIT
addresses=$(scripts/stack.sh up "$folder/stack")
eval "$addresses"
target/release/tidings-loadtest bench --tidings target/release/tidings --stack "$folder/stack" --out target/bench "$@"
