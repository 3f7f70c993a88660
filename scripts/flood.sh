#!/usr/bin/env bash
# What others notice while one client floods: loadtest/scenarios/quiet.toml alone and beside flood.toml, by turns, on `tidings dev` and on a
# gateway and a worker with private services. Prints the p99 of each. Also how long a user with 2,000 conversations takes to come in.
# ROUNDS and SECONDS_EACH say how often and how long; TIDINGS and LOADTEST name programs that are built already.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -n "${TIDINGS:-}" ] || { cargo build --release --locked -p tidings --bin tidings && TIDINGS=target/release/tidings; }
[ -n "${LOADTEST:-}" ] || { cargo build --release --locked -p tidings-loadtest && LOADTEST=target/release/tidings-loadtest; }
rounds=${ROUNDS:-3} seconds=${SECONDS_EACH:-15} out=target/flood
export TIDINGS_LOADTEST_HS256_SECRET=a-secret-of-at-least-thirty-two-bytes-for-load
export TIDINGS__AUTH__HS256_SECRET=$TIDINGS_LOADTEST_HS256_SECRET TIDINGS__LOG__LEVEL=warn
folder=$(mktemp -d)
chmod 755 "$folder" # Postgres runs as a user of its own
started=()
finish() {
  kill "${started[@]}" 2>/dev/null || true
  wait
  [ ! -d "$folder/stack" ] || scripts/stack.sh down "$folder/stack"
  rm -rf "$folder"
}
trap finish EXIT
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
start() { # ROLE PORT
  local ops
  ops=$(port)
  TIDINGS__SERVER__LISTEN=127.0.0.1:$2 TIDINGS__SERVER__OPS_LISTEN=127.0.0.1:$ops TIDINGS__EMBEDDED__DATA_DIR=$folder/data "$TIDINGS" "$1" >"$folder/$1.log" 2>&1 &
  started+=($!)
  for _ in $(seq 300); do
    curl -fs "http://127.0.0.1:$ops/healthz/ready" >/dev/null && return
    sleep 0.1
  done
  cat "$folder/$1.log"
  return 1
}
run() { # SCENARIO NAME, the rest goes to the generator
  local scenario=$1 name=$2
  shift 2
  mkdir -p "$out/$name"
  "$LOADTEST" run "loadtest/scenarios/$scenario.toml" --url "ws://127.0.0.1:$listen/v1/ws" --out "$out/$name" --quiet "$@" >"$out/$name/summary" 2>&1 || true
}
told() { # NAME FIELD
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$out/$1/report.json" "$2" 2>/dev/null || cat "$out/$1/summary"
}
measure() { # SERVER
  for round in $(seq "$rounds"); do
    run quiet "$1-quiet" --sockets 200 --duration "${seconds}s"
    echo "$1 round $round, quiet:   $(told "$1-quiet" delivered)"
    run flood "$1-flood" --duration "$((seconds + 10))s" &
    local flood=$!
    sleep 2
    run quiet "$1-beside" --sockets 200 --duration "${seconds}s"
    wait $flood
    echo "$1 round $round, flooded: $(told "$1-beside" delivered)"
  done
  grep -E 'offered|errors|disconnects' "$out/$1-flood/summary" || true
  run many-conversations "$1-many"
  echo "$1, 2,000 conversations: $(told "$1-many" login)"
}
listen=$(port)
start dev "$listen"
measure dev
kill "${started[@]}"
wait
addresses=$(scripts/stack.sh up "$folder/stack")
eval "$addresses"
"$TIDINGS" migrate
start worker "$(port)"
listen=$(port)
start gateway "$listen"
measure roles
