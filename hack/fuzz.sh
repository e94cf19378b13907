#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME, one after the other. A finding is left in the package's testdata/fuzz, where
# it becomes a case of the ordinary tests.
set -euo pipefail
cd "$(dirname "$0")/.."

grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n1 dirname | sort -u | while read -r dir; do
  grep -rhoP --include='*_test.go' '^func \KFuzz\w+' "$dir" --max-count=100 | sort -u | while read -r target; do
    echo "== $dir $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-10s}" "$dir"
  done
done
