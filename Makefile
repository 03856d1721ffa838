# earshot: make help

GO ?= go

# The tests of these packages need the machine for themselves. Those of WAITING mostly wait, and
# run side by side, three or four tests each. The others mostly compute, and run three packages at a time.
ALONE := ./internal/browser ./internal/faults
WAITING := ./internal/endtoend ./cmd/earshot ./room/rtc
# The longest of the others. They come first: nothing waits for them at the end.
LONG := ./store ./loadgen/ledger ./signaling
# These have no goroutine, nor do their tests share anything but what they read: the race detector would only
# make them slow. Whatever has a goroutine, a lock or an atomic stays out of here.
PLAIN := ./internal/tree ./loadgen/compare ./loadgen/emodel ./loadgen/histogram ./loadgen/neteq ./loadgen/score
alone := $(subst $() ,|,$(patsubst ./%,/%$$,$(ALONE) $(WAITING) $(PLAIN)))

# The race detector makes audio codecs twenty times as slow, and other arithmetic: the merging of
# histograms, the comparing of audio and of runs, what a listener's jitter buffer conceals, the reading of
# Go code. It has nothing to find in them: they have no goroutine. A race over a histogram is one over its
# metric.Trend, and one over a jitter buffer one over its ledger.Listener, and seen there. No package with a
# lock or an atomic belongs here: what it makes known by them would count as a race elsewhere.
ARITHMETIC := github.com/pion/opus/... github.com/thesyncim/gopus/... github.com/hajimehoshi/go-mp3/... github.com/mewkiz/flac/... \
	github.com/HdrHistogram/... go/... \
	$(addprefix github.com/earshot-audio/earshot/,internal/fourier loadgen/compare loadgen/emodel loadgen/histogram loadgen/neteq loadgen/score)
# Test programs are linked anew each time, and without debugging information in half of the time.
RACE := -race -vet=off -ldflags='-s -w' $(patsubst %,-gcflags='%=-race=false',$(ARITHMETIC))
# A program with the race detector sleeps for a second before it exits, in wait for races on the way
# out. The tests start hundreds of programs.
export GORACE ?= atexit_sleep_ms=100

.PHONY: help run gate check test soak faults repeat fuzz peers interop sidebyside tools lint manifests vulnerabilities portable bench dist image sbom clean

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## play the smoke scenario
	$(GO) run ./cmd/earshot run scenarios/smoke.yaml

gate: ## play the scenario that every change must keep, as CI does
	@ci/gate

check: lint ## lint, build, and the unit tests: no race detector, no browser, nothing that plays in real time
	$(GO) build ./...
	$(GO) test -short -vet=off ./...

# The linters include vet. All parts are run even if one fails.
test: tools lint manifests ## install what the tests need, and run them all, under the race detector where there are goroutines, with the browser
	code=0; \
	$(GO) test $(RACE) -timeout 20m -p 3 $(LONG) $$($(GO) list ./... | grep -vE '$(alone)') || code=1; \
	$(GO) test -vet=off -ldflags='-s -w' -timeout 20m -p 3 $(PLAIN) || code=1; \
	$(GO) test $(RACE) -timeout 20m -p 3 -parallel 3 $(WAITING) || code=1; \
	$(GO) test $(RACE) -timeout 20m -p 1 $(ALONE) || code=1; \
	exit $$code

SOAK ?= 1h
CHAOS ?= 10m
soak: ## people, moderators, restarts and bad networks on one server, for SOAK (default: 1h): everything must be back at the end; faults of all kinds between three nodes, for CHAOS (default: 10m); the simulation of fifty nodes; then make faults
	$(GO) test -v -vet=off -timeout 0 -run TestSoak ./internal/soak -soak $(SOAK)
	$(GO) test -v -vet=off -timeout 0 -run TestFaultsBetweenThreeNodes ./internal/endtoend -chaos $(CHAOS)
	$(GO) test -v -count 1 -vet=off -timeout 0 -run TestControlTrafficOfFiftyNodes ./signaling/nodes -scale /dev/null
	@$(MAKE) --no-print-directory faults

FAULTS ?= .
faults: ## faulty servers against faulty generators at real length, all of them or those that match FAULTS: no verdict may be wrong
	EARSHOT_SOAK=1 $(GO) test -v -count 1 -vet=off -timeout 0 -run '$(FAULTS)' ./internal/faults

TIMES ?= 10
repeat: tools ## all tests, TIMES over (default: 10), in random order, and the fault table at real length: finds those that fail now and then
	EARSHOT_SOAK=1 $(GO) test $(RACE) -p 1 -count $(TIMES) -shuffle on -timeout 0 ./...

fuzz: ## every fuzz test, each for FUZZTIME (default: 10m), JOBS side by side (default: one a core)
	@ci/fuzz

PEERS ?= $(or $(EARSHOT_PEERS),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/earshot/peers)
peers: ## fetch and build the servers of others for make interop, and the referee, into PEERS (default: ~/.cache/earshot/peers)
	@EARSHOT_PEERS=$(PEERS) ci/peers

interop: peers ## play a matrix of scenarios against the servers of others (Linux); UPDATE=1 writes it into docs/targets.md
	cd tools/referee && $(GO) test ./...
	$(GO) test -v -count 1 -vet=off -timeout 40m ./internal/interop -peers $(PEERS) $(if $(UPDATE),-update)

sidebyside: peers ## one scenario against this server and those of others, and the most listeners of each (Linux; 20 minutes); UPDATE=1 writes it into docs/targets.md
	$(GO) test -v -count 1 -vet=off -timeout 60m ./internal/interop -run TestSideBySide -peers $(PEERS) -side-by-side $(if $(UPDATE),-update)

tools: ## install what the tests need (Chromium, Firefox, simple-whip-client)
	@ci/install-tools

lint: ## golangci-lint, with the linters of .golangci.yml
	$(GO) tool -modfile=tools/go.mod golangci-lint run ./...

# In a module of their own: nobody who builds earshot shall need Kubernetes' types.
manifests: ## what is in deploy: decoded strictly into the types of Kubernetes' API, and loaded by Compose's loader
	cd tools/deploy && $(GO) test ./...

# Versions of commands that need not be in a module of ours: go run checks what it
# downloads against the checksum database.
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
CYCLONEDX := github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0

vulnerabilities: ## known vulnerabilities in code that is called (asks vuln.go.dev; VULNDB=file:///... for a copy)
	$(GO) run $(GOVULNCHECK) $(if $(VULNDB),-db $(VULNDB)) ./...

portable: ## build for the systems that CI does not run on
	GOOS=darwin $(GO) build ./...
	GOOS=windows $(GO) build ./...

bench: ## the benchmarks, the headline case among them: on a machine that does nothing else
	$(GO) test -run '^$$' -bench . -benchmem ./...

SYSTEMS ?= linux/amd64 linux/arm64 darwin/arm64
dist: ## the binaries of a release (SYSTEMS), and their checksums, in dist
	rm -rf dist
	for system in $(SYSTEMS); do \
		CGO_ENABLED=0 GOOS=$${system%/*} GOARCH=$${system#*/} \
			$(GO) build -trimpath -buildvcs=true -o dist/earshot-$${system%/*}-$${system#*/} ./cmd/earshot || exit 1; \
	done
	cd dist && sha256sum earshot-* > SHA256SUMS

ENGINE ?= podman
image: SYSTEMS := linux/$(shell $(GO) env GOARCH)
image: dist ## a container image of the program, earshot, made by ENGINE (default: podman; docker or buildah)
	$(ENGINE) build --platform $(SYSTEMS) --tag earshot --file Containerfile .

sbom: ## what the binaries in dist are made of, with licences, as CycloneDX beside them
	for binary in $(filter-out %.json,$(wildcard dist/earshot-*)); do \
		$(GO) run $(CYCLONEDX) bin -json -licenses -output $$binary.cdx.json $$binary || exit 1; \
	done
	cd dist && sha256sum earshot-* > SHA256SUMS

clean: ## forget cached test results
	$(GO) clean -testcache
