#!/usr/bin/env bash
# Tries the cluster of the tests itself ("hack/cluster smoke"): the registry's image becomes Ready under restricted pod security with
# a claimed volume, is reached through port-forward and through its Service, and goes on without an apiserver. In that state the
# cluster is taken down, and the machine must be what it was before. Wants bin/images/registry.tar ("make images").
set -euo pipefail
cd "$(dirname "$0")/.."
[[ -n ${PACKHOUSE_CLUSTER_LOCKED:-} ]] || exec hack/cluster exclusively hack/cluster-smoke.sh
archive=bin/images/registry.tar
[[ -f $archive ]] || { echo "hack/cluster smoke: no $archive; run make images" >&2; exit 1; }
KUBECONFIG=$(hack/cluster kubeconfig) NO_PROXY=$(hack/cluster noproxy); export KUBECONFIG NO_PROXY
RUN=$(dirname "$KUBECONFIG")

# Everything of the machine that a node may touch, without counters; what is not there is not listed.
machine() (
  set +e +o pipefail
  pgrep -af "$RUN/" | sed 's/^/process /'
  awk '{print "mount", $2}' /proc/mounts
  ip -o link | awk -F': ' '{print "device", $2}'
  ip -o route | sed 's/^/route /'
  { nft list ruleset | sed -E 's/packets [0-9]+ bytes [0-9]+//'; iptables-save | sed -E '/^#/d; s/\[[0-9:]+\]//'; } 2>/dev/null | sed 's/^/filter /'
  sysctl -a --pattern '^(kernel.panic|kernel.keys|vm.overcommit|vm.panic|net.ipv4.ip_forward$|net.netfilter.*timeout|net.ipv4.conf.all)' 2>/dev/null | sed 's/^/setting /'
  find /sys/fs/cgroup -type d -path '*/kubepods*' | sed 's/^/cgroup /'
  find "$RUN" /run/netns /run/containerd /var/lib/kubelet /var/lib/cni /var/log/pods /var/log/containers /usr/libexec/kubernetes /etc/cni 2>/dev/null | sort | sed 's/^/file /'
)

began=${EPOCHREALTIME/./}
step() { printf '%8d ms  %s\n' $(((${EPOCHREALTIME/./} - began) / 1000)) "$*"; }

answers() { # URL: within ten seconds
  for _ in {1..50}; do
    if curl -fsS --noproxy '*' -m 2 -o /dev/null "$1" 2>"$work/curl"; then return; fi
    sleep 0.2
  done
  cat "$work/curl" >&2
  return 1
}

work=$(mktemp -d)
trap 'hack/cluster down; rm -rf "$work"' EXIT
hack/cluster down # an old cluster is no part of the machine
hack/cluster build
machine >"$work/before"
step "the machine is looked at"

hack/cluster up >/dev/null
step "up"
hack/cluster load "$archive"
step "the image is loaded"

kubectl create --validate=strict -f - >/dev/null <<Y
apiVersion: v1
kind: Namespace
metadata: {name: smoke, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: smoke, namespace: smoke}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: smoke, namespace: smoke}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: smoke, namespace: smoke}
spec: {selector: {app: smoke}, ports: [{name: operations, port: 80, targetPort: operations}]}
---
apiVersion: v1
kind: Pod
metadata: {name: smoke, namespace: smoke, labels: {app: smoke}}
spec:
  serviceAccountName: smoke
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: registry
      image: packhouse/registry:${TAG:-dev}
      imagePullPolicy: Never
      securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
      ports: [{name: operations, containerPort: 9090}]
      readinessProbe: {httpGet: {path: /-/readyz, port: operations}, periodSeconds: 1}
      volumeMounts: [{name: data, mountPath: /var/lib/packhouse}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: smoke}}]
Y
kubectl -n smoke wait --for=condition=Ready pod/smoke --timeout=60s >/dev/null || { kubectl -n smoke describe pod smoke; kubectl -n smoke logs smoke; exit 1; }
step "a restricted pod with a volume is Ready"

kubectl -n smoke port-forward pod/smoke :9090 >"$work/forward" 2>&1 &
forward=$!
for _ in {1..50}; do grep -qs "^Forwarding from 127" "$work/forward" && break; sleep 0.1; done
port=$(sed -n 's/^Forwarding from 127.0.0.1:\([0-9]*\) .*/\1/p' "$work/forward")
answers "http://127.0.0.1:$port/-/readyz"
kill $forward
service=http://$(kubectl -n smoke get service smoke -o 'jsonpath={.spec.clusterIP}')/-/readyz
answers "$service"
step "it answers through port-forward and its Service"

hack/cluster stop apiserver
answers "$service"
step "it answers without an apiserver"
hack/cluster start apiserver
kubectl -n smoke wait --for=condition=Ready pod/smoke --timeout=60s >/dev/null
step "the apiserver is back"

hack/cluster stop apiserver
hack/cluster down
step "down, from a state without an apiserver"
machine >"$work/after"
diff "$work/before" "$work/after" || { echo "hack/cluster smoke: the machine is not what it was before (<) but (>)" >&2; exit 1; }
step "nothing is left"
