#!/usr/bin/env bash
# Installs, upgrades and uninstalls the chart with Helm on a real Kubernetes API server with its controllers and scheduler, which are
# built from their Go modules into target/chart-live: the first time this takes long, see docs/operations.md. Kubelets are played by the
# script, because no container can run. Needs go, openssl, and what scripts/ops-test.sh needs. Arguments: names of helm/tidings/ci (default: all).
#   TIDINGS_BUILD_JOBS   compilers at a time (default 2)
set -euo pipefail
cd "$(dirname "$0")/.."
built=$PWD/target/chart-live

say() { printf 'chart-live: %s\n' "$*"; }
die() { say "FAILED: $*" >&2; exit 1; }

command -v go >/dev/null || die "there is no go; install Go $(sed -n 's/^go //p' tools/chart-live/servers/go.mod) or newer"
command -v openssl >/dev/null || die "there is no openssl; install the Debian package openssl"
./scripts/ops-test.sh tools || die "Helm and the Python packages could not be had"

# build LOG COMMAND … shows of a build only how it ended.
build() {
  local log=$1
  shift
  "$@" >"$log" 2>&1 || { tail -5 "$log"; die "see $log"; }
}

# Custom resources' definitions, made from the Go types of their projects: the API server then checks their fields too.
definitions() {
  cd tools/chart-live/crds
  go run -mod=readonly -p "$jobs" sigs.k8s.io/controller-tools/cmd/controller-gen crd output:crd:dir="$built/crds" \
    paths=sigs.k8s.io/gateway-api/apis/v1 \
    paths=github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1 \
    paths=github.com/kedacore/keda/v2/apis/keda/v1alpha1
}

# A build by Kubernetes' own scripts sets its version in the same way; without it the chart would see v0.0.0.
servers() {
  cd tools/chart-live/servers
  local version minor at=k8s.io/component-base/version
  version=$(go list -mod=readonly -m -f '{{.Version}}' k8s.io/kubernetes)
  minor=${version#v1.}
  CGO_ENABLED=0 go build -mod=readonly -buildvcs=false -trimpath -p "$jobs" -o "$built/bin/" \
    -ldflags "-s -w -X $at.gitVersion=$version -X $at.gitMajor=1 -X $at.gitMinor=${minor%%.*}" \
    k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kube-controller-manager k8s.io/kubernetes/cmd/kube-scheduler \
    go.etcd.io/etcd/server/v3
  mv "$built/bin/server" "$built/bin/etcd"
}

jobs=${TIDINGS_BUILD_JOBS:-2}
stamp=$(cat scripts/chart-live.sh tools/chart-live/*/go.* tools/chart-live/crds/kinds.go <(go version) | sha256sum | cut -d' ' -f1)
if [ "$(cat "$built/stamp" 2>/dev/null)" != "$stamp" ]; then
  rm -rf "$built/crds" "$built/bin" "$built/stamp"
  mkdir -p "$built/crds" "$built/bin"
  began=$SECONDS
  say "making the definitions of custom resources"
  (build "$built/crds.log" definitions)
  say "building kube-apiserver, kube-controller-manager, kube-scheduler and etcd"
  (build "$built/servers.log" servers)
  say "built in $((SECONDS - began)) s"
  echo "$stamp" >"$built/stamp"
fi

exec target/ops/venv/bin/python tests/ops/chart_live.py "$built" "$@"
