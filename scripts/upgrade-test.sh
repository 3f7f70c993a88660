#!/usr/bin/env bash
# Runs the release before on the schema of this one, as between `tidings migrate` and the end of a rollout, and after a rollback: the
# journeys of that release's own tests, with its own binary, in databases that this release's binary migrated.
# Which one that is: the newest below this version in migrations/releases. While there is none, this release stands in for it.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf 'upgrade-test: %s\n' "$*"; }

this=$(sed -nE 's/^version = "(.*)"/\1/p' Cargo.toml | head -1)
before=$(printf '%s\n' migrations/releases/*.sql | sed -E 's,.*/(.*)\.sql,\1,' | sort -V | awk -v this="$this" '$0 == this {exit} {print}' | tail -1)
cargo test --locked --test it --no-run
export TIDINGS_TEST_MIGRATOR=$PWD/target/debug/tidings
tree=.
if [ -n "$before" ]; then
  tree=target/releases/$before
  [ -d "$tree" ] || git worktree add --force --detach "$tree" "v$before"
else
  say "there is no release before $this: it stands in for itself"
fi
say "release ${before:-$this} on the schema of $this"
cd "$tree"
exec cargo test --locked --test it -- journey::
