#!/usr/bin/env bash
# Prints the folder with kube-apiserver and etcd for tests against a real apiserver, after building them from Go modules if they are
# not there: minutes once, nothing afterwards. With KUBEBUILDER_ASSETS set, that is it. With --if-there nothing is built: it fails.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ -n ${KUBEBUILDER_ASSETS:-} ]]; then echo "$KUBEBUILDER_ASSETS"; exit; fi
dir=$(hack/cluster assets)
if [[ ! -x $dir/kube-apiserver || ! -x $dir/etcd ]]; then
  [[ ${1:-} != --if-there ]] || exit 1
  hack/cluster build kube-apiserver etcd >&2
fi
echo "$dir"
