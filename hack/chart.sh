#!/usr/bin/env bash
# Checks the chart with helm itself, built from the version in hack/helm: it lints, renders the same twice, installs what
# config/default does, and refuses values that are not in its schema.
set -euo pipefail
cd "$(dirname "$0")/.."

helm=.cache/helm
[[ -x $helm && ! hack/helm/go.mod -nt $helm ]] || (cd hack/helm && go build -o ../../.cache/helm helm.sh/helm/v4/cmd/helm)
chart=charts/packhouse
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HELM_CACHE_HOME=$work HELM_CONFIG_HOME=$work HELM_DATA_HOME=$work

$helm lint --strict "$chart" >"$work/lint" || { cat "$work/lint"; exit 1; }
render() { $helm template packhouse "$chart" --namespace packhouse-system --include-crds "$@"; }
render >"$work/one"
render >"$work/two"
cmp "$work/one" "$work/two" || { echo "the chart renders differently each time" >&2; exit 1; }

objects() { awk '/^kind:/ {k = $2} /^  name:/ && k {print k, $2; k = ""}' "$1" | sort; }
go run ./hack/genchart -flatten config/default >"$work/config"
diff <(objects "$work/config" | grep -v '^Namespace ') <(objects "$work/one" | grep -v '^Registry ') ||
  { echo "the chart (>) does not install what config/default (<) does" >&2; exit 1; }

render --set registry.create=false --set replicas=2 --set-string image.tag=v9 >"$work/values"
grep -q 'image: "packhouse/operator:v9"' "$work/values" && grep -q 'replicas: 2' "$work/values" && ! grep -q '^kind: Registry$' "$work/values" ||
  { echo "values have no effect" >&2; exit 1; }
for bad in replicas=many image.repo=x registry.name=UPPER; do
  if render --set "$bad" >/dev/null 2>&1; then echo "the schema takes --set $bad" >&2; exit 1; fi
done
echo "the chart is fine"
