#!/usr/bin/env bash
# Runs the Autobahn WebSocket cases against the gateway's accept loop and socket settings (examples/echo.rs).
# The cases are run by the Python package kosoku, which is installed below target/conformance. Arguments: cases, like 7.*
set -euo pipefail
cd "$(dirname "$0")/.."
KOSOKU=kosoku==0.1.0
tools=target/conformance
report=target/autobahn
cases=("$@")
# 8 and 11 are empty in Autobahn too; 12 and 13 are compression, which the others do not offer.
[ ${#cases[@]} -gt 0 ] || cases=('1.*' '2.*' '3.*' '4.*' '5.*' '6.*' '7.*' '9.*' '10.*' '12.*' '13.*')

[ -x "$tools/bin/pip" ] || python3 -m venv "$tools"
"$tools/bin/pip" install -q --disable-pip-version-check "$KOSOKU"
# The cases 12 and 13 are handed a message that came uncompressed, as any may, as text, and fail because they cannot hash text.
"$tools/bin/python3" - <<'PY'
import importlib.util, pathlib

cases = pathlib.Path(importlib.util.find_spec("kosoku").origin).parent / "cases/case12_x_x.py"
begin = "def onMessage(self, msg, binary):\n"
as_bytes = "   msg = msg.encode('latin-1') if isinstance(msg, str) else msg\n"
text = cases.read_text()
assert begin in text
if as_bytes not in text:
    cases.write_text(text.replace(begin, begin + as_bytes))
PY
# The built program is started by itself: a `cargo run` in between would not be stopped by the kill below.
[ -n "${ECHO_BIN:-}" ] || { cargo build --locked --example echo && ECHO_BIN=target/debug/examples/echo; }

out=$(mktemp)
"$ECHO_BIN" >"$out" &
server=$!
trap 'kill $server 2>/dev/null; rm -f "$out"' EXIT
for _ in $(seq 100); do
  [ -s "$out" ] && break
  kill -0 $server
  sleep 0.1
done
include=()
for case in "${cases[@]}"; do include+=(-i "$case"); done
result=0
"$tools/bin/kosoku" -m fuzzingclient "$(cat "$out")" "${include[@]}" -p "$(nproc)" -o "$report" || result=$?
python3 - "$report" <<'PY'
import collections, json, pathlib, sys

index = json.loads((pathlib.Path(sys.argv[1]) / "index.json").read_text())
(cases,) = index.values()
words = ("behavior", "behaviorClose")
for word in words:
    print(word, dict(collections.Counter(case[word] for case in cases.values())))
for name, case in cases.items():
    if any(case[word] not in ("OK", "INFORMATIONAL") for word in words):
        print(name, *(case[word] for word in words))
PY
exit $result
