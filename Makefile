# Everything that a person or CI does here has a target; logic of more than three lines lives in hack/.
SHELL := /bin/bash -o pipefail -e
.DEFAULT_GOAL := help

GO ?= go
# Tools are pinned in a module of their own, so that their dependencies never mix with the product's.
TOOL := $(GO) tool -modfile=hack/tools/go.mod
BIN := bin
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)

# PORT is where "make run" listens; empty picks a free one from 8080 on.
PORT ?=
# FUZZTIME is how long "make fuzz" spends on each fuzz target.
FUZZTIME ?= 10s
# KILLS is how often "make crash" kills the registry.
KILLS ?= 50

##@ General

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*##"; printf "Usage: make \033[36m<target>\033[0m\n"} \
	  /^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)} \
	  /^[a-zA-Z0-9_-]+:.*?##/ {printf "  \033[36m%-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Use it

.PHONY: build
build: ## Build the binaries into bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/...

.PHONY: run
run: build ## Run Packhouse here with the samples and say what to type next
	PORT='$(PORT)' hack/run.sh

.PHONY: images
images: build ## Build container images into bin/images (buildah, docker or podman)
	hack/images.sh

.PHONY: install
install: ## Install CRDs and operator into the cluster of the current kubeconfig
	kubectl apply --server-side -k config/default

.PHONY: clean
clean: ## Remove what was built and the data of "make run"
	rm -rf $(BIN) packhouse-data tmp

##@ Develop

.PHONY: generate
generate: manifests ## Generate code: deep copies, the list of formats, the reference in docs/
	hack/generate.sh

.PHONY: manifests
manifests: ## Generate the CRDs from the API types
	$(TOOL) controller-gen crd paths=./api/... output:crd:artifacts:config=config/crd/bases
	$(TOOL) controller-gen rbac:roleName=packhouse-operator paths=./controllers/... output:rbac:artifacts:config=config/rbac

.PHONY: fmt
fmt: ## Format the code
	$(GO) fmt ./...

.PHONY: vet
vet: ## Run go vet
	$(GO) vet ./...

.PHONY: lint
lint: ## Run golangci-lint (the first time it is built, which takes minutes)
	$(TOOL) golangci-lint run ./...

.PHONY: vuln
vuln: ## Look for known vulnerabilities in what is called
	hack/vuln.sh

.PHONY: verify
verify: ## Before sending a change: generated files are fresh, lint, vet, vuln
	hack/verify.sh

##@ Test

.PHONY: clients
clients: ## Install the npm clients that the tests drive into .cache/clients
	hack/clients.sh

.PHONY: test
test: ## Run every test that a machine with Go (and Node, for the real clients) can run
	hack/test.sh

.PHONY: test-race
test-race: ## Run the tests of the packages with the race detector, without the real clients
	SKIP_CLIENTS=1 $(GO) test -race -timeout 20m ./...

.PHONY: test-live
test-live: clients ## Install real packages from the npm registry of your configuration through Packhouse
	PACKHOUSE_LIVE=1 $(GO) test -count=1 -v -run Live -timeout 30m ./registry/format/npm/clienttest/

.PHONY: crash
crash: ## Kill the registry KILLS times during publishes and installs and check that nothing is lost
	PACKHOUSE_KILLS=$(KILLS) $(GO) test -count=1 -v -run Crash -timeout 30m ./registry/internal/crashtest/

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME
	FUZZTIME=$(FUZZTIME) hack/fuzz.sh

.PHONY: guide
guide: ## Run the commands of the CodeArtifact user guide; UPDATE=1 writes docs/guide-commands.md
	PACKHOUSE_GUIDE=1 $(GO) test -count=1 -timeout 20m ./registry/service/guidetest/

.PHONY: envtest
envtest: ## Run the operator's tests against a real apiserver, which is built the first time
	KUBEBUILDER_ASSETS=$$(hack/envtest.sh) REQUIRE_ENVTEST=1 $(GO) test -count=1 ./controllers/...

.PHONY: e2e
e2e: build ## Run the end-to-end tests on the cluster of E2E_KUBECONFIG, or on one that is started here (root)
	hack/e2e.sh

.PHONY: cluster-up
cluster-up: ## Start a cluster of one node on this machine, without Docker (root)
	hack/cluster up

.PHONY: cluster-down
cluster-down: ## Stop it
	hack/cluster down

.PHONY: cluster-smoke
cluster-smoke: images ## Try the cluster itself, and that nothing of it is left on this machine (root)
	hack/cluster smoke

.PHONY: bench
bench: build ## Compare with nginx, a bare Go server and Verdaccio; prints a table of ratios
	hack/bench.sh
