#!/usr/bin/env bash
# Private Postgres, Redis and RabbitMQ for benchmarks, on free ports with their data in one folder.
#   scripts/stack.sh up FOLDER     starts them and prints their addresses as exports
#   scripts/stack.sh down FOLDER   stops them and removes the folder
set -euo pipefail

usage() { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
[ $# -eq 2 ] || usage
folder=$2

die() { printf 'stack: %s\n' "$*" >&2; exit 1; }

# Ports below those that the system gives to clients.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

wait_for() {
  for _ in $(seq 240); do
    (exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null && return
    sleep 0.25
  done
  die "$1 did not start, see $folder"
}

up() {
  local bin
  bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1) || true
  [ -n "$bin" ] || die "install the Debian package postgresql"
  command -v redis-server >/dev/null || die "install the Debian package redis-server"
  [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || die "install the Debian package rabbitmq-server"
  mkdir -p "$folder"/{pg,redis,rmq/log}
  folder=$(cd "$folder" && pwd)
  local pg redis amqp dist
  pg=$(free_port) redis=$(free_port) amqp=$(free_port) dist=$(free_port)

  # Postgres refuses to run as root.
  local as=()
  if [ "$(id -u)" = 0 ]; then chmod 755 "$folder"; chown postgres "$folder/pg"; as=(runuser -u postgres --); fi
  "${as[@]}" "$bin/initdb" -D "$folder/pg/data" -A trust -U postgres >"$folder/initdb.log" 2>&1
  cat >>"$folder/pg/data/postgresql.conf" <<CONF
port = $pg
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 512MB
max_wal_size = 4GB
CONF
  "${as[@]}" "$bin/pg_ctl" -D "$folder/pg/data" -l "$folder/pg/log" -w start >/dev/null
  "${as[@]}" "$bin/psql" -h 127.0.0.1 -p "$pg" -U postgres -qc 'CREATE DATABASE tidings'

  redis-server --daemonize yes --bind 127.0.0.1 --port "$redis" --save '' --appendonly no \
    --dir "$folder/redis" --pidfile "$folder/redis/pid" --logfile "$folder/redis/log" >/dev/null

  printf 'listeners.tcp.default = 127.0.0.1:%s\n' "$amqp" >"$folder/rmq/rabbitmq.conf"
  printf '[].\n' >"$folder/rmq/plugins"
  env HOME="$folder/rmq" RABBITMQ_NODENAME="bench$amqp@localhost" RABBITMQ_DIST_PORT="$dist" \
    RABBITMQ_MNESIA_BASE="$folder/rmq/data" RABBITMQ_LOG_BASE="$folder/rmq/log" RABBITMQ_PID_FILE="$folder/rmq/pid" \
    RABBITMQ_CONFIG_FILE="$folder/rmq/rabbitmq" RABBITMQ_ENABLED_PLUGINS_FILE="$folder/rmq/plugins" \
    setsid /usr/lib/rabbitmq/bin/rabbitmq-server >"$folder/rmq/out" 2>&1 </dev/null &
  wait_for Redis "$redis"
  wait_for RabbitMQ "$amqp"
  printf 'export TIDINGS__POSTGRES__URL=postgres://postgres@127.0.0.1:%s/tidings\n' "$pg"
  printf 'export TIDINGS__REDIS__URL=redis://127.0.0.1:%s\n' "$redis"
  printf 'export TIDINGS__RABBITMQ__URL=amqp://guest:guest@127.0.0.1:%s/%%2f\n' "$amqp"
}

down() {
  [ -d "$folder" ] || return 0
  local pid
  for file in pg/data/postmaster.pid redis/pid rmq/pid; do
    [ -f "$folder/$file" ] || continue
    pid=$(head -1 "$folder/$file")
    kill -INT "$pid" 2>/dev/null || true
    [ "$file" = rmq/pid ] && { kill -TERM "$pid" 2>/dev/null || true; }
  done
  sleep 2
  rm -rf "$folder"
}

case $1 in up | down) "$1" ;; *) usage ;; esac
