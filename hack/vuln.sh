#!/usr/bin/env bash
# Looks for known vulnerabilities. Without the database of vulnerabilities there is nothing to look into: that is said aloud, and is
# a failure only where REQUIRE_VULN=1 says that the network is there.
set -uo pipefail
cd "$(dirname "$0")/.."

out=$(go tool -modfile=hack/tools/go.mod govulncheck ./... 2>&1)
status=$?
printf '%s\n' "$out"
if ((status == 1)) && grep -q 'fetching vulnerabilities' <<<"$out" && [[ ${REQUIRE_VULN:-} != 1 ]]; then
  echo "NOT CHECKED for vulnerabilities: the database cannot be reached" >&2
  exit 0
fi
exit "$status"
