# earshot: make help

GO ?= go

.PHONY: help run gate test tools lint portable bench dist clean

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## play the smoke scenario
	$(GO) run ./cmd/earshot run scenarios/smoke.yaml

gate: ## play the scenario that every change must keep, as CI does
	@ci/gate

test: tools lint portable ## install what the tests need, and run them all under the race detector, a package at a time
	$(GO) test -race -p 1 -timeout 20m ./...

tools: ## install what the tests need (Chromium, simple-whip-client)
	@ci/install-tools

lint: ## golangci-lint, with the linters of .golangci.yml
	$(GO) tool -modfile=tools/go.mod golangci-lint run ./...

portable: ## build for the systems that CI does not run on
	GOOS=darwin $(GO) build ./...
	GOOS=windows $(GO) build ./...

bench: ## the benchmarks, the headline case among them: on a machine that does nothing else
	$(GO) test -run '^$$' -bench . -benchmem ./...

dist: ## the binaries of a release, and their checksums, in dist
	rm -rf dist
	for system in linux/amd64 linux/arm64 darwin/arm64; do \
		CGO_ENABLED=0 GOOS=$${system%/*} GOARCH=$${system#*/} \
			$(GO) build -trimpath -buildvcs=true -o dist/earshot-$${system%/*}-$${system#*/} ./cmd/earshot || exit 1; \
	done
	cd dist && sha256sum earshot-* > SHA256SUMS

clean: ## forget cached test results
	$(GO) clean -testcache
