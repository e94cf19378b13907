#!/usr/bin/env bash
# Generates everything and fails when that changes a file, naming it. It compares with the state before, not with the last commit,
# so that it also works in the middle of a change.
set -euo pipefail
cd "$(dirname "$0")/.."

fingerprint() { # of everything that "make generate" may write
  { git ls-files -co --exclude-standard -- api config docs charts registry/format/all registry/service/model | sort -u | while read -r f; do
    if [[ -f $f ]]; then sha256sum "$f"; fi
  done; }
}

before=$(fingerprint)
make --no-print-directory generate >/dev/null
after=$(fingerprint)
if [[ $before != "$after" ]]; then
  echo "make generate changes these files; commit what it writes:" >&2
  diff <(echo "$before") <(echo "$after") | awk '/^[<>]/ {print "  " $3}' | sort -u >&2
  exit 1
fi
