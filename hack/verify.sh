#!/usr/bin/env bash
# What a reviewer would otherwise have to check by hand: generated files are those of the sources, and lint, vet and the
# vulnerability check are silent. The tests are "make test".
set -euo pipefail
cd "$(dirname "$0")/.."

hack/check-generated.sh
test -z "$(gofmt -l $(git ls-files '*.go'))" || { echo "not formatted:"; gofmt -l $(git ls-files '*.go'); exit 1; }
make --no-print-directory vet lint vuln
