# hoop: the two commands that matter are make demo and make test.
GO      ?= go
BIN     := bin/hoop
LDFLAGS := -s -w -X hoop/cli.version=$(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
export CGO_ENABLED = 0

.DEFAULT_GOAL := help

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/hoop
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/hoop

demo: ## set up what is missing, build, and show the whole thing at work
	@.ci/setup demo
	@$(MAKE) --no-print-directory build
	@./$(BIN) demo

test: ## set up what is missing and run every test
	@.ci/setup test
	@$(MAKE) --no-print-directory build
	$(GO) test -timeout 20m ./...

check: ## exactly what CI runs
	@.ci/run

vet: ## static checks
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'run gofmt -w on these'; exit 1; }
	$(GO) vet ./...

FUZZTIME ?= 10m
fuzz: ## every fuzz target in turn, FUZZTIME each (10m)
	@.ci/fuzz $(FUZZTIME)

bench: ## measure beside peers and write docs/benchmarks.md
	@.ci/setup bench
	@$(MAKE) --no-print-directory build
	cd testdata/bench && $(GO) run . -hoop ../../$(BIN) -out ../../docs/benchmarks.md

sshbench: ## measure SSH beside OpenSSH and a plain relay and write docs/benchmarks-ssh.md
	@.ci/setup sshbench
	@$(MAKE) --no-print-directory build
	cd testdata/bench && $(GO) run . ssh -hoop ../../$(BIN) -out ../../docs/benchmarks-ssh.md

maskbench: ## measure the detectors beside other engines and write docs/benchmarks-mask.md
	cd testdata/maskbench && $(GO) run . -out ../../docs/benchmarks-mask.md

compat: ## psql, pg_dump, drivers and pgx's own test suite, direct and through hoop
	@.ci/setup test
	@$(MAKE) --no-print-directory build
	@testdata/compat/all.sh $(BIN)

page: ## the approval page in a headless Chromium, by keyboard alone, checked with axe
	@.ci/setup page
	@$(MAKE) --no-print-directory build
	@cd testdata/page && npm ci --no-audit --no-fund --silent --ignore-scripts
	@./$(BIN) demo -- testdata/page/walk.sh

regress: ## PostgreSQL's own regression statements, all 32,632 of them, against what the real server makes of them
	$(GO) test ./policy/sql -v -run TestRegressionStatements -count 1 -args -every 1

sqlbench: ## measure the analysis of SQL and the decision of policies, as a table
	@.ci/sqlbench

pgversions: ## the corpora of attacks and the lineage tests on PostgreSQL 16, 17 and 18 (fetched from npm)
	@.ci/setup test
	@.ci/pgversions

crash: ## kill the broker 100 times under load, 25 times under 50 SSH sessions; break 200 streams
	@.ci/setup test
	$(GO) test -timeout 60m -count 1 -v ./cli/demo -run 'TestCrash|TestCrashSSH|TestMangledStreams' -crashes 100 -ssh-crashes 25 -mutations 200

PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
cross: ## compile for every system of a release (.goreleaser.yaml)
	@for p in $(PLATFORMS); do echo "compile for $$p"; \
	  GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) build -o /dev/null ./cmd/hoop || exit 1; done

generate: ## make the generated files anew: completions, command reference
	$(GO) test ./cli -run 'TestGenerated' -update

.PHONY: help build demo test check vet fuzz bench sshbench maskbench compat page pgversions regress sqlbench crash cross generate
