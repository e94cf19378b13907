#!/usr/bin/env bash
# Runs the end-to-end tests. With E2E_KUBECONFIG they run on that cluster, whose nodes get the images by E2E_LOAD (a command that is
# given the path of an image archive, for example "kind load image-archive"); without, on a cluster of one node that is started here
# by hack/cluster and stopped again. E2E_RUN selects parts: install, samples, npm, polyglot, identities, changes, latency, credentials, alone,
# deletion, namespace, thousand; the first two are always needed.
set -euo pipefail
cd "$(dirname "$0")/.."
[[ -n ${E2E_KUBECONFIG:-}${PACKHOUSE_CLUSTER_LOCKED:-} ]] || exec hack/cluster exclusively hack/e2e.sh

# node_image makes an image of this machine's node and the tests' npm, with the libraries that node is linked to.
node_image() {
  local root file; root=$(mktemp -d)
  for file in $(ldd "$(command -v node)" | grep -o '/[^ )]*') "$(command -v node)"; do install -D -m 0755 "$(readlink -f "$file")" "$root$file"; done
  mkdir -p "$root/tmp" "$root/usr/bin"
  cp -r .cache/clients/node_modules/npm "$root/npm"
  printf 'root:x:0:0::/:/none\nnpm:x:1000:1000::/scratch:/none\n' >"$root/passwd"; install -D -m 0644 "$root/passwd" "$root/etc/passwd"; rm "$root/passwd"
  cat >"$root.Containerfile" <<F
FROM scratch
COPY . /
ENTRYPOINT ["$(command -v node)", "/npm/bin/npm-cli.js"]
F
  buildah --storage-driver vfs build -q --isolation chroot -t packhouse/npm:dev -f "$root.Containerfile" "$root" >/dev/null
  rm -f bin/images/npm.tar
  buildah --storage-driver vfs push -q packhouse/npm:dev docker-archive:bin/images/npm.tar:packhouse/npm:dev
  rm -rf "$root" "$root.Containerfile"
}

hack/images.sh
images=(bin/images/operator.tar bin/images/registry.tar)
if command -v node >/dev/null && command -v buildah >/dev/null && hack/clients.sh; then
  node_image
  images+=(bin/images/npm.tar)
  export E2E_NPM_IMAGE=packhouse/npm:dev
fi
if [[ -n ${E2E_KUBECONFIG:-} ]]; then
  export KUBECONFIG=$E2E_KUBECONFIG
  load=${E2E_LOAD:-true}
else
  trap 'hack/cluster down' EXIT
  if ! hack/cluster up; then
    # Containers may not be allowed here at all; that is no fault of what is tested.
    echo "END-TO-END TESTS NOT RUN: no cluster can be started on this machine" >&2
    [[ -z ${REQUIRE_E2E:-} ]]
    exit
  fi
  KUBECONFIG=$(hack/cluster kubeconfig) NO_PROXY=$(hack/cluster noproxy); export KUBECONFIG NO_PROXY
  export E2E_CLUSTER=$PWD/hack/cluster
  load="hack/cluster load"
fi
for image in "${images[@]}"; do $load "$image"; done
PACKHOUSE_E2E=1 go test -count=1 -v -timeout 25m ${E2E_RUN:+-run "TestEndToEnd/^(install|samples|$E2E_RUN)\$"} ./controllers/e2e
