# What can be done with this package, by people and by machines. `make` lists it.

FUZZ_SECONDS ?= 60

# Regular expressions; the targets that run tests run those alone whose names match the first, such as "ReactorTests",
# and not those that match the second.
TEST_FILTER ?=
TEST_SKIP ?=
FILTER = $(if $(TEST_FILTER),--filter '$(TEST_FILTER)') $(if $(TEST_SKIP),--skip '$(TEST_SKIP)')

SOURCES = $(wildcard Sources Tests Examples Benchmarks Package.swift)

.PHONY: help deps deps-peers deps-counters deps-bench build release test test-release demo demo-check conformance mutate \
	lint format structure names sanitize tsan asan fuzz docs bench counters clean
.DEFAULT_GOAL := help

help: ## List the targets
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

deps: ## Install json-c and pkg-config where they are missing
	@Scripts/deps.sh

deps-peers: ## Install Node.js and Python where they are missing
	@Scripts/deps.sh --peers

build: deps ## Build everything for debugging
	swift build

release: deps ## Build everything optimized
	swift build -c release

test: deps ## Build and run all tests
	@Scripts/test.sh $(FILTER)

# What tests import with @testable is built for it, which a release is not: hence the place of its own.
test-release: deps ## Build and run all tests, optimized
	@Scripts/test.sh -c release -Xswiftc -enable-testing --scratch-path .build-optimized $(FILTER)

demo: deps ## Build and run the example of a parent and two children
	@Scripts/demo.sh

demo-check: deps ## Run all examples and compare what they print with their expected-output.txt
	@Scripts/demo.sh --check

conformance: deps deps-peers ## Hold the peers in Swift, Python and JavaScript against the specification
	@Scripts/conformance.sh

mutate: deps-peers ## Put faults into the reader of the peer in Python: a vector or a test has to find each
	@python3 Protocols/mutate/mutate.py

lint: ## Check the format of the Swift code, and how long files and lines are
	@Scripts/lint.sh $(SOURCES)

format: ## Format the Swift code
	swift format --in-place --parallel --recursive $(SOURCES)

structure: deps ## Check who imports whom, that no child links Foundation, and other house rules
	@Scripts/structure.sh

names: deps ## Check that all public names can be used beside those of NIO, Hummingbird and others
	@Scripts/names.sh

sanitize: tsan asan ## Run all tests under ThreadSanitizer, then under AddressSanitizer

tsan: deps ## Run all tests under ThreadSanitizer
	@Scripts/test.sh --sanitize=thread --scratch-path .build-tsan $(FILTER)

# XCTest's own runner leaks, and no test needs it.
asan: deps ## Run all tests under AddressSanitizer
	@Scripts/test.sh --sanitize=address --scratch-path .build-asan --disable-xctest $(FILTER)

fuzz: deps ## Fuzz the frame decoder and the JSON decoder, each for FUZZ_SECONDS=60
	@Scripts/fuzz.sh $(FUZZ_SECONDS)

docs: deps ## Build the documentation; a warning is an error
	@Scripts/docs.sh

deps-counters: ## Install valgrind and strace where they are missing
	@Scripts/deps.sh --counters

counters: deps deps-counters ## Count what a message costs, and fail where that is too much
	@Benchmarks/counters.sh

deps-bench: ## Install the newest Node.js and Deno for the benchmarks, into .build-bench
	@Scripts/deps.sh --bench

bench: deps deps-bench ## Run the benchmarks, and write docs/benchmarks.md and its plot
	@Benchmarks/bench.sh --write

clean: ## Remove all that was built; what the fuzzers collected stays
	rm -rf .build .build-examples .build-optimized .build-tsan .build-asan .build-fuzz .build-docs .build-servers \
		.build-bench
