#!/usr/bin/env bash
# Everything that a machine with Go and Node can test. The npm clients are installed when the npm registry of the user's own
# configuration can be reached; without them the tests that drive them skip and say so, unless REQUIRE_CLIENTS=1.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ -z ${SKIP_CLIENTS:-} ]]; then
  if ! hack/clients.sh; then
    echo "hack/test.sh: the npm clients could not be installed; tests that need them are skipped" >&2
    [[ -z ${REQUIRE_CLIENTS:-} ]] || exit 1
  fi
fi
# The operator's tests want an apiserver, which "make envtest" builds; what is there is used.
if assets=$(hack/envtest.sh --if-there); then export KUBEBUILDER_ASSETS=$assets; fi
# One package at a time beside the two that a small machine can run: real clients need the processor for themselves.
exec go test -timeout 20m "$@" ./...
