#!/usr/bin/env bash
# Installs the pinned npm clients of hack/clients into .cache/clients, once per lock file. With "bench" as argument it installs
# the rival of "make bench" as well.
set -euo pipefail
cd "$(dirname "$0")/.."

install() { # FOLDER: hack/FOLDER → .cache/FOLDER
  local from=hack/$1 to=.cache/$1 stamp
  stamp=$(cat "$from/package.json" "$from/package-lock.json" | sha256sum | cut -c1-16)
  if [[ -f $to/.installed && $(cat "$to/.installed") == "$stamp" ]]; then return; fi
  command -v npm >/dev/null || { echo "hack/clients.sh: npm is not installed" >&2; return 1; }
  mkdir -p "$to"
  cp "$from/package.json" "$from/package-lock.json" "$to/"
  # Not "npm ci": it insists on every optional platform package of pnpm, also on those that a mirror does not have. Versions are
  # those of the lock file all the same. The install scripts of pnpm and bun only link the binary that came as a package.
  (cd "$to" && npm install --no-audit --no-fund --loglevel=error --dangerously-allow-all-scripts >&2)
  echo "$stamp" >"$to/.installed"
}

install clients
if [[ ${1:-} == bench ]]; then install bench; fi
