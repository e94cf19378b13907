#!/usr/bin/env bash
# Everything that is generated, apart from the CRDs ("make manifests" writes those first).
set -euo pipefail
cd "$(dirname "$0")/.."

go tool -modfile=hack/tools/go.mod controller-gen object:headerFile=hack/boilerplate.go.txt paths=./api/...
go run ./hack/genformats
go run ./hack/genref -crds config/crd/bases -out docs/reference.md
go run ./hack/genservice
go run ./hack/genchart
