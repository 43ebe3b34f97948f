# A Debian or Ubuntu machine with a Swift toolchain needs only two commands: `make run` and `make test`.
# Each installs the system packages that are missing first; Scripts/bootstrap.sh says which.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

# Without the run-time check for overlapping accesses to a property, which costs time for each message. It can fail only
# through a bug of ours, and debug builds, which all tests run, have it.
RELEASE := -c release -Xswiftc -enforce-exclusivity=unchecked

# How many tests run in parallel (Swift Testing 6.3 and later; earlier versions ignore it). With all of them in
# parallel, deadlines expire while a test waits for the processor.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH ?= 8

# Settings for the command line.
ARGS ?=
FILTER ?= .
SKIP ?=
PASSES ?= 5
SCENARIOS ?=
QUICK ?=
CASES ?=
OTHER ?=
BUS ?= none
TARGETS ?=
SEED ?=
FIRST ?= 1
# A debug build takes half the time. It checks more for each input, but tries fewer inputs.
FUZZ_BUILD ?= release
STORES ?= sqlite,postgres

# Build folders of the sanitizers. They instrument only Swift, so a folder shared with other builds, as in `.ci/run`,
# holds the C code of libraries once. For local work, separate folders avoid rebuilds.
THREAD_SCRATCH ?= .build-tsan
FUZZ_SCRATCH ?= .build-fuzz

SWIFT_SOURCES := Sources Tests Package.swift Benchmarks/Instructions Examples/Sources Examples/Tests Examples/Package.swift
SHELL_SOURCES := Scripts/*.sh .ci/run
EXAMPLES := --package-path Examples --scratch-path .build-examples
# The tests of Core, Wire, Store and Redis, and the fuzzer, without the daemon: half as much to build.
TESTS := --package-path Tests

# With BUS=redis, rounds of several hubs, which first try the servers, links and faults by themselves.
CHAOS_TESTS := Tests/Chaos/test_checker.py Tests/Chaos/test_cluster_checks.py Tests/Chaos/test_bus_checks.py \
	$(if $(filter redis,$(BUS)),Tests/Chaos/test_redis_servers.py)
CHAOS_PACKAGES := chaos$(if $(filter redis,$(BUS)),-redis)
CHAOS_BUS := $(if $(filter-out none,$(BUS)),--bus $(BUS))

# The load generator is one address with thousands of connections, and publishes faster than any user types: the
# limiter is on, at rates that are never reached.
BENCH_RATES := $(foreach scope,connection user address room,\
	--set rates.$(scope)PerSecond=1000000 --set rates.$(scope)Burst=1000000)
BENCH_HUB := .build/release/gohubd serve --listen 127.0.0.1:{port} --store memory --log-level warning \
	--set connections.perAddressMax=1000000 $(BENCH_RATES)

.PHONY: help run test check test-examples test-browser test-sdk test-swift chaos mixed-versions autobahn lint rooms \
	format docs bench bench-durable bench-resume bench-cluster bench-files bench-instructions simulate soak \
	sanitize sanitize-thread sanitize-libraries sanitize-address fuzz fuzz-keep clean

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

run: ## Build and run the hub; the web client is at http://localhost:8080. ARGS='--listen 127.0.0.1:9000 …'
	@Scripts/bootstrap.sh run
	swift build $(RELEASE) --product gohubd
	swift build $(RELEASE) --product gohub-preview
	.build/release/gohubd serve $(ARGS)

# The hub's own tests come last, so that the last line is their summary.
test: ## Run all tests: web client (in a browser), JavaScript SDK, hub and example.
	@Scripts/bootstrap.sh test
	swift build --build-tests
	@$(MAKE) test-browser
	@$(MAKE) test-sdk
	@$(MAKE) test-swift

# Builds in a folder of its own: with another set of packages in `.build`, the next `make test` would build anew.
check: ## Check a change to Core or Wire quickly: lint, and their tests. FILTER='HubStateTests'
	@$(MAKE) lint
	@Scripts/bootstrap.sh sanitize
	GOHUB_SIMULATION_SEEDS=40 Scripts/swift-test.sh $(TESTS) --test-product gohub-testsPackageTests --scratch-path .build-check \
		--filter '$(if $(filter-out .,$(FILTER)),$(FILTER),^(GoHubCoreTests|GoHubTLSTests|GoHubWireTests)\.)' \
		--skip '(Resilience|StalledReader|Exhaustion|Fault|NestedDrop)Tests'

test-examples: ## Build and test the example as a separate package, like an embedder's.
	@Scripts/bootstrap.sh test
	swift test $(EXAMPLES) --disable-xctest

test-browser:
	swift build --product gohubd
	swift build --product gohub-preview
	Scripts/browser-test.sh .build/debug/gohubd

test-sdk:
	swift build --product gohubd
	swift build --product gohub-preview
	Scripts/sdk-test.sh .build/debug/gohubd

test-swift:
	@Scripts/swift-test.sh

chaos: ROUNDS ?= 5
chaos: NODES ?= 1
chaos: ## Kill hub and store under load and check that nothing is lost. ROUNDS=5 on each of STORES; SEED=1 FIRST=3 repeats a round; NODES=3 hubs on one PostgreSQL, BUS=redis between them.
	@Scripts/bootstrap.sh $(CHAOS_PACKAGES)
	swift build --product gohubd
	swift build --product gohub-preview
	for test in $(CHAOS_TESTS); do /usr/bin/python3 "$$test"; done
	/usr/bin/python3 Tests/Chaos/campaign.py .build/debug/gohubd --rounds $(ROUNDS) --first $(FIRST) --stores $(STORES) \
		--nodes $(NODES) $(CHAOS_BUS) $(if $(SEED),--seed $(SEED)) $(if $(OTHER),--other $(OTHER))

mixed-versions: ROUNDS ?= 6
mixed-versions: NODES ?= 3
mixed-versions: ## Run the crash campaign with hubs of this version and of the last release on one PostgreSQL. ROUNDS=6 NODES=3 BUS=redis; SEED=1 FIRST=3 repeats a round.
	@Scripts/bootstrap.sh $(CHAOS_PACKAGES)
	swift build --product gohubd
	for test in $(CHAOS_TESTS); do /usr/bin/python3 "$$test"; done
	Scripts/mixed-versions.sh .build/debug/gohubd --rounds $(ROUNDS) --first $(FIRST) --nodes $(NODES) $(CHAOS_BUS) \
		$(if $(SEED),--seed $(SEED))

autobahn: ## Run the Autobahn|Testsuite, plain and over TLS (15 minutes). QUICK=1 runs a part. CASES='7.*,12.1.1'
	@Scripts/bootstrap.sh autobahn
	swift build --product autobahn-echo
	Scripts/autobahn.sh .build/debug/autobahn-echo $(if $(CASES),--cases '$(CASES)',$(if $(QUICK),--quick))

lint: ## Check the format of all sources, the length of comment lines, and the arrows between folders.
	@Scripts/bootstrap.sh lint
	swift format lint --strict --parallel --recursive $(SWIFT_SOURCES)
	for script in $(SHELL_SOURCES); do bash -n "$$script"; done
	Scripts/lint-comments.sh
	Scripts/rooms.py --check

rooms: ## Print which folder uses which, and which module imports which. The plan is in Docs/Architecture.md.
	@Scripts/rooms.py

format: ## Format all Swift sources in place.
	@Scripts/bootstrap.sh lint
	swift format --in-place --parallel --recursive $(SWIFT_SOURCES)

docs: ## Build the API documentation of GoHubCore into .build/docs; fails on any warning.
	@Scripts/bootstrap.sh run
	Scripts/docs.sh

bench: ## Measure the hub and the machine's floor; without SCENARIOS also write the report. PASSES=5 SCENARIOS=small
	@Scripts/bootstrap.sh bench
	swift build $(RELEASE) --product gohubd
	python3 Benchmarks/compare.py --hub '$(BENCH_HUB)' --passes $(PASSES) \
		$(if $(SCENARIOS),--scenarios $(SCENARIOS),--report Docs/Performance.md)

bench-durable: ## Measure storing throughput of the hub and of its database alone. PASSES=5
	@Scripts/bootstrap.sh bench-durable
	swift build $(RELEASE) --product gohubd
	python3 Benchmarks/durable.py --hub '$(BENCH_HUB)' --passes $(PASSES) $(ARGS)

bench-resume: ## Measure how 10,000 clients reconnect at once after a restart, on each store. PASSES=3
	@Scripts/bootstrap.sh bench-durable
	swift build $(RELEASE) --product gohubd
	python3 Benchmarks/resume.py --hub '$(BENCH_HUB)' --passes $(PASSES) $(ARGS)

bench-cluster: ## Measure several hubs on one PostgreSQL: a hot room, lateness, and the cost of comparing; BUS=redis adds the bus. ARGS='--seconds 20'
	@Scripts/bootstrap.sh bench-durable$(if $(filter redis,$(BUS)),-redis)
	swift build $(RELEASE) --product gohubd
	python3 Benchmarks/cluster.py --hub '$(subst --store memory,,$(BENCH_HUB))' --passes $(PASSES) --bus $(BUS) $(ARGS)

bench-files: ## Measure files: memory for a large file, chat latency during 50 uploads, and 50 interruptions. ARGS='--gibibytes 4'
	@Scripts/bootstrap.sh bench-files
	swift build $(RELEASE) --product gohubd
	python3 Benchmarks/files.py --hub '.build/release/gohubd serve --listen 127.0.0.1:{port} --log-level warning $(BENCH_RATES)' \
		$(ARGS)

simulate: SEEDS ?= 10000
simulate: ## Simulate one, two and three hubs with every fault. SEEDS=10000, or SEEDS='1234..<1235' to repeat one
	@Scripts/bootstrap.sh sanitize
	GOHUB_SIMULATION_SEEDS='$(SEEDS)' Scripts/swift-test.sh $(TESTS) --test-product gohub-testsPackageTests \
		--scratch-path .build-check --filter '^GoHubCoreTests\.SimulationTests'

soak: MINUTES ?= 10
soak: ## Add and remove users and rooms continuously; fail if the hub's memory grows. MINUTES=10
	@Scripts/bootstrap.sh bench-files
	swift build $(RELEASE) --product gohubd
	python3 Benchmarks/soak.py --hub '.build/release/gohubd serve --listen 127.0.0.1:{port} --log-level warning' \
		--minutes $(MINUTES) $(ARGS)

bench-instructions: ## Count the instructions of hub operations and compare with Benchmarks/instructions.json. ARGS='--update'
	@Scripts/bootstrap.sh bench-instructions
	swift build $(RELEASE) --product gohub-instructions
	python3 Benchmarks/instructions.py $(ARGS)

sanitize: sanitize-thread sanitize-address ## Run the hub's tests under both sanitizers. FILTER='GoHubCoreTests'

sanitize-thread: ## Run the hub's tests under the thread sanitizer.
	@Scripts/bootstrap.sh sanitize
	TSAN_OPTIONS="halt_on_error=1 suppressions=$(CURDIR)/Tests/tsan.suppressions" \
		Scripts/swift-test.sh -Xswiftc -sanitize=thread --scratch-path $(THREAD_SCRATCH) --filter '$(FILTER)' \
		$(if $(SKIP),--skip '$(SKIP)')

sanitize-libraries: ## Only the thread sanitizer, and only Core, Wire, Store and Redis; builds half as much.
	@Scripts/bootstrap.sh sanitize
	TSAN_OPTIONS="halt_on_error=1 suppressions=$(CURDIR)/Tests/tsan.suppressions" \
		Scripts/swift-test.sh $(TESTS) --test-product gohub-testsPackageTests -Xswiftc -sanitize=thread \
		--scratch-path $(THREAD_SCRATCH) --filter '$(FILTER)' $(if $(SKIP),--skip '$(SKIP)')

sanitize-address: ## Run the hub's tests under the address sanitizer, with leak detection.
	@Scripts/bootstrap.sh sanitize
	LSAN_OPTIONS="suppressions=$(CURDIR)/Tests/lsan.suppressions" \
		Scripts/swift-test.sh --sanitize=address --scratch-path .build-asan --filter '$(FILTER)'

fuzz: SECONDS ?= 60
fuzz: ## Fuzz every parser of untrusted bytes. SECONDS=60 for each of TARGETS='frames token'
	@Scripts/bootstrap.sh run
	swift build $(TESTS) -c $(FUZZ_BUILD) -Xswiftc -enable-testing -Xswiftc -sanitize=fuzzer --product gohub-fuzz \
		--scratch-path $(FUZZ_SCRATCH)
	@Scripts/fuzz.sh $(FUZZ_SCRATCH)/$(FUZZ_BUILD)/gohub-fuzz '$(SECONDS)' $(TARGETS)

fuzz-keep: ## Add the inputs that `make fuzz` found and that increase coverage to the corpus.
	@Scripts/fuzz.sh $(FUZZ_SCRATCH)/$(FUZZ_BUILD)/gohub-fuzz keep $(TARGETS)

clean: ## Remove everything that was built.
	rm -rf .build .build-* Examples/.build Benchmarks/bin
