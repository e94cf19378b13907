#!/usr/bin/env bash
# Runs Packhouse here with the samples and data in ./packhouse-data. The npm upstream is the registry of the user's own npm
# configuration, so that it works behind a mirror, too. PORT chooses the port; else the first free one from 8080 on.
set -euo pipefail
cd "$(dirname "$0")/.."

free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
port=${PORT:-}
if [[ -z $port ]]; then
  for port in {8080..8180}; do
    if free "$port"; then break; fi
  done
fi

args=(dev -f config/samples --data-dir packhouse-data --listen "127.0.0.1:$port")
upstream=$(npm config get registry 2>/dev/null || true)
if [[ $upstream == http*://* ]]; then args+=(--external-connection-url "public:npmjs=$upstream"); fi
exec bin/packhouse "${args[@]}"
