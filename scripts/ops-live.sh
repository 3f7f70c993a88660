#!/usr/bin/env bash
# Holds the dashboards against the real roles under load: private services, gateway, worker and push processes, a Prometheus that
# scrapes them, and the load generator. Fails when a panel has no data. With a folder as argument it draws each dashboard into it.
# Needs what scripts/ops-test.sh installs, and PostgreSQL, Redis and RabbitMQ.
set -euo pipefail
cd "$(dirname "$0")/.."
export TIDINGS__AUTH__HS256_SECRET=only-for-this-run-only-for-this-run
tidings=target/debug/tidings
loadtest=target/debug/tidings-loadtest

say() { printf 'ops-live: %s\n' "$*"; }
die() { say "$*" >&2; exit 1; }

# As the integration tests are built, so that both binaries are there already after them.
cargo test --locked --workspace --test '*' --no-run
[ -x target/ops/venv/bin/python ] || die "run scripts/ops-test.sh first: it installs the tools"

folder=$(mktemp -d)
chmod 755 "$folder" # Postgres runs as a user of its own
pids=()
finish() {
  [ ${#pids[@]} -eq 0 ] || { kill "${pids[@]}" 2>/dev/null || true; wait "${pids[@]}" 2>/dev/null || true; }
  scripts/stack.sh down "$folder/stack"
  rm -rf "$folder"
}
trap finish EXIT
addresses=$(scripts/stack.sh up "$folder/stack")
eval "$addresses"
export TIDINGS__DRAIN__WINDOW=5s

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# role ROLE NAME starts a process; its port for operators goes to `targets`.
targets=()
role() {
  local listen ops
  listen=$(free_port) ops=$(free_port)
  TIDINGS__SERVER__LISTEN=127.0.0.1:$listen TIDINGS__SERVER__OPS_LISTEN=127.0.0.1:$ops \
    "$tidings" "$1" >"$folder/$2.log" 2>&1 &
  pids+=($!)
  targets+=("$2=http://127.0.0.1:$ops")
  [ "$1" != gateway ] || urls+=(--url "ws://127.0.0.1:$listen/v1/ws")
  for _ in $(seq 200); do
    curl -fsS -o /dev/null "http://127.0.0.1:$ops/healthz/ready" 2>/dev/null && return
    sleep 0.2
  done
  cat "$folder/$2.log"
  die "$2 is not ready"
}

say "starting the roles"
"$tidings" migrate >"$folder/migrate.log" 2>&1 || { cat "$folder/migrate.log"; die "tidings migrate"; }
urls=()
role gateway gateway-0
stopping=${pids[-1]}
role gateway gateway-1
role worker worker-0
role worker worker-1
role push push-0

seconds=${SECONDS_OF_LOAD:-45}
say "load for $seconds s"
"$loadtest" run loadtest/scenarios/soak.toml "${urls[@]}" --hs256-secret "$TIDINGS__AUTH__HS256_SECRET" --sockets 400 --rate 200 \
  --duration "$((seconds + 5))s" --warmup 1s --connect-rate 200 --quiet >"$folder/load.log" 2>&1 &
load=$!
# In the middle one gateway drains, so that the dashboard of rollouts has something to show.
(sleep "$((seconds / 2))"; kill -TERM "$stopping") &
timer=$!
# Nothing is pushed in this release.
arguments=(--seconds "$seconds")
[ $# -eq 0 ] || arguments+=(--out "$1")
arguments+=(--unfed tidings_push_requests_total tidings_push_request_seconds tidings_push_delay_seconds --)
result=0
target/ops/venv/bin/python tests/ops/live_panels.py "${arguments[@]}" "${targets[@]}" || result=$?
wait "$timer"
wait "$load" || { cat "$folder/load.log"; die "the load generator found a broken promise"; }
grep checker "$folder/load.log"
psql=$(ls /usr/lib/postgresql/*/bin/psql | sort -V | tail -1)
say "$("$psql" -At "$TIDINGS__POSTGRES__URL" -c "SELECT pg_total_relation_size('messages') / count(*) || ' bytes an entry with its indexes, of ' || count(*) FROM messages")"
exit "$result"
