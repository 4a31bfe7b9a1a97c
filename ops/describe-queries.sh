#!/usr/bin/env bash
# Describes every query of the program in .sqlx/, against a private database with the current schema.
#
#   ops/describe-queries.sh            writes .sqlx/
#   ops/describe-queries.sh --check    fails if .sqlx/ is not current
set -euo pipefail
cd "$(dirname "$0")/.."
check="${1:-}"
target="${CARGO_TARGET_DIR:-target}"
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true; }; rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir -p .sqlx

# The crate of the private servers has no queries of its own, so that it builds when .sqlx/ is out of date.
cargo build --locked --quiet -p taskfold-embedded --example private_postgres
"$target/debug/examples/private_postgres" "$work/data" migrations > "$work/url" &
server=$!
until [ -s "$work/url" ]; do
    kill -0 "$server" || { echo "the private database did not start" >&2; exit 1; }
    sleep 0.2
done

mkdir "$work/queries"
# A query is described when it is compiled, so each crate that has some is compiled anew.
grep -rlE 'query(_as|_scalar)?!\(' --include='*.rs' crates command-api projector query-api src | xargs touch
SQLX_OFFLINE=false SQLX_OFFLINE_DIR="$work/queries" DATABASE_URL="$(cat "$work/url")" \
    cargo check --locked --quiet --workspace
if [ "$check" = "--check" ]; then
    diff -r .sqlx "$work/queries" > "$work/diff" || {
        cat "$work/diff" >&2
        echo ".sqlx/ is not current: ops/describe-queries.sh writes it" >&2
        exit 1
    }
    exit 0
fi
rm -rf .sqlx
mv "$work/queries" .sqlx
