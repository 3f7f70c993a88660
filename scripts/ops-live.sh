#!/usr/bin/env bash
# Holds the dashboards against the real roles under load: private services, gateway, worker and push processes, fakes of the push
# providers, a Prometheus that scrapes them, and the load generator. Fails when a panel has no data. With a folder as argument it draws
# each dashboard into it. Needs what scripts/ops-test.sh installs, and PostgreSQL, Redis and RabbitMQ.
#   TIDINGS_BIN, TIDINGS_LOADTEST_BIN   take these programs instead of building them
set -euo pipefail
cd "$(dirname "$0")/.."
export TIDINGS__AUTH__HS256_SECRET=only-for-this-run-only-for-this-run
tidings=${TIDINGS_BIN:-target/debug/tidings}
loadtest=${TIDINGS_LOADTEST_BIN:-target/debug/tidings-loadtest}
python=target/ops/venv/bin/python

say() { printf 'ops-live: %s\n' "$*"; }
die() { say "$*" >&2; exit 1; }

# As the integration tests are built, so that both binaries are there already after them.
[ -n "${TIDINGS_BIN:-}" ] || cargo test --locked --workspace --test '*' --no-run
[ -x "$python" ] || die "run scripts/ops-test.sh first: it installs the tools"

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
  [ "$1" != gateway ] || gateways+=("127.0.0.1:$listen")
  for _ in $(seq 200); do
    curl -fsS -o /dev/null "http://127.0.0.1:$ops/healthz/ready" 2>/dev/null && return
    sleep 0.2
  done
  cat "$folder/$2.log"
  die "$2 is not ready"
}

say "starting the roles"
"$tidings" fake-push --listen 127.0.0.1:0 --data-dir "$folder/fakes" >"$folder/fake-push.log" 2>&1 &
pids+=($!)
for _ in $(seq 100); do
  [ ! -s "$folder/fakes/tidings.env" ] || break
  sleep 0.1
done
set -a
. "$folder/fakes/tidings.env"
set +a
"$tidings" migrate >"$folder/migrate.log" 2>&1 || { cat "$folder/migrate.log"; die "tidings migrate"; }
gateways=()
role gateway gateway-0
stopping=${pids[-1]}
role gateway gateway-1
role worker worker-0
role worker worker-1
role push push-0

seconds=${SECONDS_OF_LOAD:-45}
say "load for $seconds s"
"$loadtest" run loadtest/scenarios/soak.toml --url "ws://${gateways[0]}/v1/ws" --url "ws://${gateways[1]}/v1/ws" \
  --http "http://${gateways[1]}" --hs256-secret "$TIDINGS__AUTH__HS256_SECRET" --sockets 400 --rate 200 \
  --duration "$((seconds + 5))s" --warmup 1s --connect-rate 200 --quiet >"$folder/load.log" 2>&1 &
load=$!
"$python" tests/ops/phones.py "http://${gateways[1]}" --seconds "$seconds" >"$folder/phones.log" 2>&1 &
phones=$!
# In the middle one gateway drains, so that the dashboard of rollouts has something to show.
(sleep "$((seconds / 2))"; kill -TERM "$stopping") &
timer=$!
arguments=(--seconds "$seconds")
[ $# -eq 0 ] || arguments+=(--out "$1")
result=0
"$python" tests/ops/live_panels.py "${arguments[@]}" "${targets[@]}" || result=$?
wait "$timer"
wait "$phones" || { cat "$folder/phones.log"; die "the phones"; }
wait "$load" || { cat "$folder/load.log"; die "the load generator found a broken promise"; }
cat "$folder/phones.log"
grep checker "$folder/load.log"
exit "$result"
