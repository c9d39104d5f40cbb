# All targets are safe to run twice. "make help" lists them.

SHELL        := /bin/bash
.SHELLFLAGS  := -euo pipefail -c
.DEFAULT_GOAL := help

PLUGINS      := $(notdir $(wildcard plugins/kubectl-*))
VERSION      ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT       ?= $(shell git rev-parse HEAD 2>/dev/null)
DATE         ?= $(shell TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd 2>/dev/null)
PKG          := github.com/kubectl-mesh/kubectl-mesh/internal/command
LDFLAGS      := -s -w -X $(PKG).version=$(VERSION) -X $(PKG).commit=$(COMMIT) -X $(PKG).date=$(DATE)
GOLANGCI     := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
ACTIONLINT   := go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
GOVULNCHECK  := go run golang.org/x/vuln/cmd/govulncheck@v1.8.0
GORELEASER   := go run github.com/goreleaser/goreleaser/v2@v2.16.0
CRANE        := go run github.com/google/go-containerregistry/cmd/crane@v0.22.1
SIZE_LIMIT   := 34603008
REPOSITORY   := https://github.com/kubectl-mesh/kubectl-mesh
PREFIX       ?= $(HOME)/.local
IMAGE        ?= ghcr.io/kubectl-mesh/kubectl-mesh:$(VERSION)
SCENARIO     ?= healthy
FUZZTIME     ?= 30s
COUNT        ?= 25
RUN          ?=
comma        := ,
SEED         ?= 1

export CGO_ENABLED = 0

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

.PHONY: build
build: ## Build the plugins into bin/
	@mkdir -p bin
	@for p in $(PLUGINS); do \
		go build -trimpath -ldflags '$(LDFLAGS)' -o bin/$$p ./plugins/$$p; \
		ln -sf $$p bin/kubectl_complete-$${p#kubectl-}; \
	done
	@ls -l bin | awk 'NR>1 && $$5>$(SIZE_LIMIT) {print $$9 " is larger than 33 MB"; bad=1} END {exit bad}'

.PHONY: install
install: build ## Install the plugins and their completion for kubectl into PREFIX/bin (~/.local/bin)
	@mkdir -p $(PREFIX)/bin
	@for p in $(PLUGINS); do \
		install -m 0755 bin/$$p $(PREFIX)/bin/$$p; \
		ln -sf $$p $(PREFIX)/bin/kubectl_complete-$${p#kubectl-}; \
	done
	@case ":$$PATH:" in *":$(PREFIX)/bin:"*) ;; *) echo "Put $(PREFIX)/bin on your PATH: kubectl looks for plugins there." ;; esac

.PHONY: demo
demo: build ## Run each plugin on the fleets in examples/
	@for args in "check --from examples/fleet" "certs diff --contexts east,west --from examples/broken" "certs verify --from examples/broken" \
		"network map --from examples/networks" "network verify --from examples/networks" \
		"endpoints diagnose helloworld.sample --from examples/services"; do \
		echo "\$$ bin/kubectl-mesh_$$args"; \
		bin/kubectl-mesh_$$args || test $$? = 1; \
		echo; \
	done

.PHONY: demo-live
demo-live: build ## The same on two real API servers (the first time it builds them, which takes minutes)
	@go -C test/e2e run ./demo -binaries $(CURDIR)/bin

.PHONY: bed
bed: ## Start real API servers with SCENARIO (healthy), or with istiods (multi-primary-multi-network), and say how to use them
	@go -C test/bed run ./cmd/bed up --scenario $(SCENARIO)

# say announces a part of "make test".
say = @echo "== $$(date +%H:%M) $(1)"

.PHONY: test
test: ## Everything that CI runs, and what it is doing
	$(call say,make test takes about 50 minutes on two idle cores$(comma) and longer the first time)
	$(call say,1 of 7: style and import rules)
	@$(MAKE) --no-print-directory lint
	$(call say,2 of 7: unit tests with the race detector)
	@$(MAKE) --no-print-directory unit
	$(call say,3 of 7: the rules against the code of istiod)
	@$(MAKE) --no-print-directory oracle
	$(call say,4 of 7: the binaries on real API servers)
	@$(MAKE) --no-print-directory e2e
	$(call say,5 of 7: a release for this machine)
	@$(MAKE) --no-print-directory release-test
	$(call say,6 of 7: pages in a browser)
	@$(MAKE) --no-print-directory test-browser
	$(call say,7 of 7: predictions against real istiods)
	@$(MAKE) --no-print-directory test-istiod
	$(call say,all passed)

.PHONY: lint
lint: ## Check style, import rules and the module files
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "these files want gofmt"; exit 1; }
	@$(GOLANGCI) run --allow-parallel-runners ./...
	@cd release && $(GOLANGCI) run --allow-parallel-runners ./...
	@$(ACTIONLINT)
	@$(MAKE) --no-print-directory vulnerabilities
	@for module in . release test/bed test/browser test/e2e test/istiod test/oracle; do go -C $$module mod tidy -diff || exit 1; done
	@go mod verify >/dev/null

# "go run" ends with 1 whatever the program ended with, and says that; govulncheck's 3 is
# a vulnerability that is called.
.PHONY: vulnerabilities
vulnerabilities: ## Look for known vulnerabilities in what the plugins call; without the network it says so and passes
	@if out=$$($(GOVULNCHECK) ./... 2>&1); then exit 0; fi; \
	if ! grep -q '^exit status 3$$' <<<"$$out" && grep -q 'fetching vulnerabilities' <<<"$$out"; then \
		echo "No search for vulnerabilities: $$(grep -m1 'fetching vulnerabilities' <<<"$$out")"; \
	else \
		echo "$$out"; exit 1; \
	fi

.PHONY: unit
unit: build ## Unit tests and scripts, with the race detector
	@KUBECTL_MESH_BINARIES=$(CURDIR)/bin CGO_ENABLED=1 go test -race -timeout 30m ./...
	@go test -run 'TestFixesDoNoHarm|TestWholeIsTheSumOfItsAreas|TestWordsOfFindings' ./internal/istio/istiomesh
	@go test -run 'TestHostileNames|TestEmptiedFields' ./internal/rules

.PHONY: cases
cases: ## Judge the fleets of public reports and healthy setups in cases/, and print how many are right
	@go test -count=1 ./cases
	@sed -n 's/^\*\*\(.*\)\*\*$$/\1/p' docs/scoreboard.md

.PHONY: oracle
oracle: ## Hold the rules against istiod's own code
	@go -C test/oracle vet ./... && go -C test/oracle test ./...

.PHONY: servers
servers: ## Compile the servers of the test bed, which takes minutes the first time
	@go -C test/bed run ./cmd/bed build >/dev/null

.PHONY: e2e
e2e: build servers ## Run the binaries against real API servers
	@go -C test/bed vet ./... && go -C test/bed test -count=1 -timeout 20m ./...
	@go -C test/e2e vet ./... && go -C test/e2e test -count=1 -parallel 4 -timeout 40m ./...
	@go -C test/e2e run ./bench -binaries $(CURDIR)/bin -run 'start|diff|far' -rounds 5 -slack 2

.PHONY: race
race: servers ## Run plugins with the race detector against real API servers; not a part of "make test", as it takes half an hour
	@go -C test/e2e test -count=1 -parallel 4 -timeout 90m . -racing

.PHONY: test-istiod
test-istiod: servers ## Hold what internal/istio predicts against real istiods, over COUNT (25) random topologies
	@go -C test/istiod vet ./... && go -C test/istiod test -count=1 -timeout 2h -v -run TestTopologies . -topologies $(COUNT) -seed $(SEED)

.PHONY: bench
bench: build ## Compare speed and memory with kubectl, side by side; RUN=start,diff,far,networks,dump,endpoints,check,fleets for a part
	@go -C test/e2e run ./bench -binaries $(CURDIR)/bin -run '$(subst $(comma),|,$(RUN))'

# On Debian it installs Chromium where there is none; elsewhere any Chromium or Chrome in PATH does.
.PHONY: test-browser
test-browser: build ## Open the pages of -o html in a real Chromium
	@go -C test/browser vet ./...
	@if ! command -v chromium chromium-browser google-chrome google-chrome-stable chrome headless_shell >/dev/null; then \
		if command -v apt-get >/dev/null && test $$(id -u) = 0; then \
			echo "There is no Chromium here: installing that of Debian"; \
			{ apt-get update && apt-get install --yes --no-install-recommends chromium; } >/dev/null 2>&1 || echo "It cannot be installed."; \
		fi; \
	fi
	@if command -v chromium chromium-browser google-chrome google-chrome-stable chrome headless_shell >/dev/null; then \
		go -C test/browser test -count=1 -timeout 10m ./... -binaries $(CURDIR)/bin; \
	else \
		echo "The pages of -o html were not opened: install chromium or google-chrome, and run make test-browser"; \
	fi

.PHONY: release-test
release-test: ## Build a release for this machine twice, and install it; check the manifests for krew
	@go -C release vet ./... && go -C release test -count=1 -timeout 30m ./...

# goreleaser asks for the address of the repository, which a copy of it may not have.
.PHONY: release-snapshot
release-snapshot: ## Build everything of a release into dist/, for all platforms, without the network
	@git remote get-url origin >/dev/null 2>&1 || \
		export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=remote.origin.url GIT_CONFIG_VALUE_0=$(REPOSITORY); \
	$(GORELEASER) release --snapshot --clean --skip=sign
	@go -C release run . manifests -templates $(CURDIR)/krew-manifests -dist $(CURDIR)/dist
	@go -C release run . image -dist $(CURDIR)/dist

.PHONY: release
release: ## Build, sign and upload a release of the tag at HEAD; only the release workflow can sign
	@$(GORELEASER) release --clean
	@go -C release run . manifests -templates $(CURDIR)/krew-manifests -dist $(CURDIR)/dist
	@go -C release run . image -dist $(CURDIR)/dist

# With REGISTRY_TOKEN it logs in before, as REGISTRY_USER.
.PHONY: push-image
push-image: ## Push the image in dist/ to IMAGE, and print its digest; the release workflow does
	@if test -n "$${REGISTRY_TOKEN:-}"; then \
		$(CRANE) auth login $(firstword $(subst /, ,$(IMAGE))) --username "$$REGISTRY_USER" --password-stdin <<< "$$REGISTRY_TOKEN"; \
	fi
	@$(CRANE) push dist/image $(IMAGE)

.PHONY: krew-local
krew-local: ## Install what release-snapshot built under KREW_ROOT (~/.krew), by krew or as it would
	@test -d dist/krew-manifests || { echo 'There is nothing to install: run "make release-snapshot" first.'; exit 1; }
	@go -C release run . install -dist $(CURDIR)/dist

.PHONY: fuzz
fuzz: ## Fuzz everything that parses input, FUZZTIME (30s) for each target, and attack every string and field of the fixtures
	@for f in $$(grep -rlE '^func Fuzz' --include=*_test.go internal plugins); do \
		for t in $$(grep -oE '^func Fuzz[A-Za-z]+' $$f | sed 's/func //'); do \
			go test -run=^$$ -fuzz="^$$t$$" -fuzztime=$(FUZZTIME) -fuzzminimizetime=20x ./$$(dirname $$f); \
		done; \
	done
	@go test -count=1 -timeout 4h -run 'TestHostileNames|TestEmptiedFields' ./internal/rules -one-in 1

# Beside the binaries the rules are attacked with names and fields; fuzz tries each of them.
.PHONY: attack
attack: build ## Attack the binaries with hostile clusters, dumps, kubeconfigs and signals, in ten minutes; "fuzz" goes on from there
	@KUBECTL_MESH_BINARIES=$(CURDIR)/bin go test -count=1 -timeout 20m ./test/attack -all
	@go test -count=1 -timeout 20m -run 'TestHostileNames|TestEmptiedFields' ./internal/rules -one-in 200

.PHONY: golden
golden: build ## Rewrite the golden files of all tests
	@go test ./internal/report ./internal/finding ./plugins/... -update

.PHONY: scenarios
scenarios: ## Write the scenarios of the test bed again, with new keys
	@go -C test/e2e run ./scenarios

.PHONY: examples
examples: build ## Record examples/ again from real API servers
	@go -C test/e2e run ./record -binaries $(CURDIR)/bin -into $(CURDIR)/examples

.PHONY: archives
archives: build ## Record test/archives again, by a real istioctl and kubectl; the first time it builds istioctl, for minutes
	@go -C test/e2e run ./archives -binaries $(CURDIR)/bin -into $(CURDIR)/test/archives/testdata

.PHONY: clean
clean: ## Remove what was built here (the servers of the bed stay in their cache)
	@rm -rf bin dist
