#!/usr/bin/env bash
# Holds a running `tidings dev` against its OpenAPI document with schemathesis: no 5xx, no answer that the document does not name.
# The Python packages go below target/conformance. EXAMPLES says how many cases an operation gets, SEED repeats a run.
set -euo pipefail
cd "$(dirname "$0")/.."
PACKAGES=(schemathesis==4.32.5 jsonschema==4.26.0)
tools=target/conformance
examples=${EXAMPLES:-200}
seed=${SEED:-$RANDOM}
[ -x "$tools/bin/pip" ] || python3 -m venv "$tools"
"$tools/bin/pip" install -q --disable-pip-version-check "${PACKAGES[@]}"
[ -n "${TIDINGS_BIN:-}" ] || { cargo build --locked --bin tidings && TIDINGS_BIN=target/debug/tidings; }

"$tools/bin/python" scripts/frames.py

work=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
key=a-server-key-for-fuzzing
TIDINGS__AUTH__SERVER_KEYS=$key TIDINGS__AUTH__LOGIN_ATTEMPTS_PER_MINUTE=60 TIDINGS__EMBEDDED__DATA_DIR=$work/data TIDINGS__LOG__LEVEL=warn \
  "$TIDINGS_BIN" dev --listen "127.0.0.1:$port" --ops-listen 127.0.0.1:0 >"$work/log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null; rm -rf "$work"' EXIT
url=http://127.0.0.1:$port
for _ in $(seq 200); do
  curl -fs "$url/v1/openapi.json" >"$work/openapi.json" && break
  kill -0 $server || { cat "$work/log"; exit 1; }
  sleep 0.1
done
cmp <(python3 -m json.tool --sort-keys "$work/openapi.json") <(python3 -m json.tool --sort-keys docs/openapi.json)

# The checks that are about us: a server may take more than its schema says (unknown fields, an empty body), so `negative_data_rejection` is not one.
checks=not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,ignored_auth,unsupported_method
common=(--checks "$checks" --max-examples "$examples" --seed "$seed" --phases examples,coverage,fuzzing --workers 2 --no-color --exclude-path /v1/ws)
token=$(curl -fs "$url/v1/accounts" -d '{"user_id":"fuzzer","password":"correct horse"}' | python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])')
echo "== as a user (seed $seed)"
(cd "$work" && exec "$OLDPWD/$tools/bin/schemathesis" run openapi.json --url "$url" -H "Authorization: Bearer $token" --exclude-path /v1/sessions --exclude-path /v1/accounts "${common[@]}")
echo "== as a backend"
(cd "$work" && exec "$OLDPWD/$tools/bin/schemathesis" run openapi.json --url "$url" -H "Authorization: Bearer $key" -H "X-Tidings-User: fuzzer" "${common[@]}")
if grep -E 'ERROR|panicked' "$work/log"; then
  echo "api-fuzz: the server complained, see above"
  exit 1
fi
