#!/usr/bin/env bash
# Measures the registry beside nginx, a bare Go server and Verdaccio, all on the loopback interface, and prints a table. What is not
# installed is said to be missing. With an argument, only one part is measured: start, reads, publishes, manifests or large.
set -euo pipefail
cd "$(dirname "$0")/.."

hack/clients.sh bench || echo "hack/bench.sh: Verdaccio could not be installed" >&2
test=$(mktemp)
trap 'rm -f "$test"' EXIT
go test -c -o "$test" ./registry/internal/bench
PACKHOUSE_BENCH=1 PACKHOUSE_BINARY="$PWD/bin/packhouse" "$test" -test.timeout 20m -test.run "^TestBench\$/^${1:-.*}\$"
