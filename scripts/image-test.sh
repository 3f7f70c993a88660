#!/usr/bin/env bash
# Builds the image for real and starts it: as its own user, with a read-only root file system, and asks its health check.
# Without a registry: buildah and base images made with debootstrap, with this machine's Rust mounted into the build.
# Needs root on Debian 12. Argument: the build context (default: this repository).
#   TIDINGS_BIN   a release binary that takes the place of the one the build would make: a minute instead of ten
set -euo pipefail
repo=$(cd "$(dirname "$0")/.." && pwd)
context=$(cd "${1:-$repo}" && pwd)
cache=$repo/target/image-test
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
image=localhost/tidings:image-test

say() { printf 'image-test: %s\n' "$*"; }
fail() { say "FAILED: $*"; exit 1; }

[ "$(id -u)" = 0 ] || fail "needs root"
if ! command -v buildah >/dev/null || ! command -v debootstrap >/dev/null; then
  say "installing buildah and debootstrap"
  apt-get update -qq >/dev/null
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends buildah debootstrap >/dev/null
fi

work=$(mktemp -d)
container='' server=''
finish() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  [ -z "$container" ] || buildah rm "$container" >/dev/null || true
  # The bases stay for the next time, what was built on them does not.
  buildah rmi -f "$image" >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap finish EXIT

# A Debian of the same release as the real bases. The archive of the first is kept: it takes a minute.
base() {
  local name=$1 packages=$2 archive="$cache/$1.tar"
  buildah images --quiet "localhost/$name" >/dev/null 2>&1 && return
  if [ ! -f "$archive" ]; then
    say "debootstrap $name"
    mkdir -p "$cache"
    # The archive of packages that this machine uses itself.
    local mirror
    mirror=$(cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | sed -nE 's/^(URIs:|deb) *([^ ]+).*/\2/p' | sed -n 1p || true)
    debootstrap --variant=minbase --include="$packages" bookworm "$work/$name" "$mirror" >"$work/$name.log" 2>&1 ||
      { tail -5 "$work/$name.log"; fail "debootstrap"; }
    # What this machine trusts, so that a build behind a proxy reaches its registry.
    cp /etc/ssl/certs/ca-certificates.crt "$work/$name/etc/ssl/certs/ca-certificates.crt"
    tar -C "$work/$name" -cf "$archive" .
    rm -rf "${work:?}/$name"
  fi
  local from
  from=$(buildah from scratch)
  buildah add -q "$from" "$archive" / >/dev/null
  [ "$name" = tidings-runtime ] ||
    buildah config --env PATH=/usr/local/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin --env CARGO_HOME=/usr/local/cargo \
      --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt "$from"
  buildah commit -q "$from" "localhost/$name" >/dev/null
  buildah rm "$from" >/dev/null
}

base tidings-runtime ca-certificates
base tidings-build ca-certificates,gcc,g++,libc6-dev,make

rust=$(rustc --print sysroot)
if [ -n "${TIDINGS_BIN:-}" ]; then
  # The Dockerfile as it is, with a cargo that only hands this binary out.
  say "with a ready binary: what the compiler makes of this Dockerfile is not seen"
  rust=$work/rust
  mkdir -p "$rust/bin"
  cp "$TIDINGS_BIN" "$rust/tidings"
  cat >"$rust/bin/cargo" <<'CARGO'
#!/bin/sh
set -e
mkdir -p "$CARGO_TARGET_DIR/release"
cp /usr/local/rust/tidings "$CARGO_TARGET_DIR/release/tidings"
[ "$CARGO_PROFILE_RELEASE_STRIP" != debuginfo ] || strip --strip-debug "$CARGO_TARGET_DIR/release/tidings"
CARGO
  chmod +x "$rust/bin/cargo"
fi
say "building"
began=$(date +%s)
buildah bud --pull-never --layers=false --format docker \
  --build-arg RUST_IMAGE=localhost/tidings-build --build-arg RUNTIME_IMAGE=localhost/tidings-runtime \
  --build-arg REVISION="$(git -C "$repo" rev-parse --short HEAD)" \
  --volume "$rust:/usr/local/rust:ro" \
  --ignorefile "$repo/.dockerignore" -f "$repo/Dockerfile" -t "$image" "$context" >"$work/build.log" 2>&1 ||
  { tail -20 "$work/build.log"; fail "build"; }
say "built in $(($(date +%s) - began)) s"

container=$(buildah from --pull-never "$image")
root=$(buildah mount "$container")
say "size of the binary: $(du -h "$root/usr/local/bin/tidings" | cut -f1), which is all that the image adds to its base"
buildah inspect "$container" >"$work/inspect.json"
# A value of the image's configuration, as JSON.
config() { python3 -c 'import json, sys; print(json.dumps(json.load(open(sys.argv[1]))["Docker"]["config"].get(sys.argv[2])))' "$work/inspect.json" "$1"; }
[ "$(config User)" = '"65532:65532"' ] || fail "user is $(config User)"
[ "$(config Entrypoint)" = '["/usr/local/bin/tidings"]' ] || fail "entry point is $(config Entrypoint)"
config Healthcheck | grep -qF '"/usr/local/bin/tidings", "healthcheck"' || fail "health check is $(config Healthcheck)"
config Labels | grep -qE '"org.opencontainers.image.revision": "[0-9a-f]{7,}"' || fail "labels are $(config Labels)"

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
listen=127.0.0.1:$(free_port) ops=127.0.0.1:$(free_port)
# The image's environment, but on free ports of loopback: the chroot shares this machine's network.
mapfile -t env < <(config Env | python3 -c 'import json, sys; print("\n".join(json.load(sys.stdin)))' | grep -v LISTEN=)
env+=("TIDINGS__SERVER__LISTEN=$listen" "TIDINGS__SERVER__OPS_LISTEN=$ops")

# In a mount namespace of its own: the root read-only, and a writable volume where the image declares one.
cat >"$work/inside" <<'INSIDE'
set -e
root=$1; shift
mount --bind "$root" "$root"
mount -o remount,ro,bind "$root"
mount -t tmpfs -o uid=65532,gid=65532,mode=0700 none "$root/var/lib/tidings"
mount -t proc none "$root/proc"
mount --bind /dev "$root/dev"
exec env -i "${@:2}" chroot --userspec=65532:65532 "$root" $1
INSIDE
inside() { unshare --mount bash "$work/inside" "$root" "$1" "${env[@]}"; }

say "starting tidings dev with a read-only root"
began=$(date +%s%N)
# Not by the function: its shell would be the process that $! names.
unshare --mount bash "$work/inside" "$root" "/usr/local/bin/tidings dev" "${env[@]}" >"$work/dev.log" 2>&1 &
server=$!
until curl -fsS -o /dev/null "http://$ops/healthz/ready" 2>/dev/null; do
  kill -0 "$server" 2>/dev/null || { cat "$work/dev.log"; fail "tidings dev ended"; }
  [ $((($(date +%s%N) - began) / 1000000)) -lt 30000 ] || { cat "$work/dev.log"; fail "not ready within 30 s"; }
  sleep 0.05
done
say "ready after $((($(date +%s%N) - began) / 1000000)) ms"
[ "$(awk '/^Uid:/ {print $2}' "/proc/$server/status")" = 65532 ] || fail "runs as another user"
if inside "/usr/bin/touch /usr/local/bin/probe" 2>/dev/null; then fail "the root file system can be written to"; fi
inside "/usr/local/bin/tidings healthcheck" || fail "health check"
kill "$server"
wait "$server" || fail "did not stop cleanly: $?"
server=''
if inside "/usr/local/bin/tidings healthcheck" >/dev/null 2>&1; then fail "the health check passes although nothing runs"; fi
say "ok"
