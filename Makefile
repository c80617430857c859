# Every target installs what it needs. Only the package registries are reached.
SHELL := /bin/bash
ARCH := $(shell uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')
NODE_HOME := node_modules/node-linux-$(ARCH)
# Where the registry has no Node for this system, a Node 24 on the PATH serves.
NODE = $(if $(wildcard $(NODE_HOME)/bin/node),$(NODE_HOME)/bin/node,node)
ENGINE := engine/build/Release/sluice_engine.node
ENGINE_SOURCES := $(wildcard engine/src/*.cc engine/src/*.h) engine/binding.gyp
TESTS = $(shell git ls-files --cached --others --exclude-standard -- 'src/*.test.ts' 'test/*.test.ts' 'bench/*.test.ts' | grep -vE '^test/(opensearch|kubernetes|s3)/')

.DEFAULT_GOAL := help
.PHONY: help setup engine demo test check format bench bench-policies bench-flood fuzz test-opensearch test-kubernetes test-s3 endpoint-table test-sanitized build clean

help: ## What there is to run
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

node_modules/.ready: package.json package-lock.json .npmrc
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

setup: node_modules/.ready ## Install the dependencies, Node 24 among them

# Without a compiler the proxy still runs, on node:net, so a failed build is told and not fatal.
$(ENGINE): node_modules/.ready $(ENGINE_SOURCES)
	@bash engine/build.sh $(NODE) $(NODE_HOME)

engine: $(ENGINE) ## Build the native engine

demo: setup engine build ## Stream a real 100 MB bulk up and 100 MB down through Sluice
	@./sluice demo

test: setup engine build ## All tests that need nothing but this checkout
	@$(NODE) --test --test-timeout=300000 --test-concurrency=2 $(TESTS)

check: setup ## Format, lint, types, the dependency rule
	@node_modules/.bin/biome ci --error-on-warnings .
	@$(NODE) node_modules/typescript/bin/tsc
	@$(NODE) node_modules/dependency-cruiser/bin/dependency-cruiser.mjs src --config .dependency-cruiser.mjs

format: setup ## Format, and fix what the linter can
	@node_modules/.bin/biome check --write .

bench: setup engine build ## Measure beside HAProxy, nginx, Envoy, Node and a bare splice loop
	@bash bench/bench.sh

bench-policies: setup engine build ## Measure decisions, shared bandwidth, and 100 reloads a second
	@make -s -C bench/native && $(NODE) bench/policies/run.ts

bench-flood: setup engine build ## Measure what a flood of refused requests does to everybody else
	@$(NODE) bench/flood/run.ts

fuzz: setup engine ## Fuzz the parsers and the relays for SECONDS_EACH (60)
	@bash test/fuzz/fuzz.sh $(or $(SECONDS_EACH),60)

test-opensearch: setup engine build ## The official clients through Sluice to real OpenSearch and Elasticsearch
	@bash test/opensearch/run.sh

test-kubernetes: setup ## Policies from the cluster, with a real kube-apiserver
	@bash test/kubernetes/run.sh

test-s3: setup ## Policies from a bucket, with a server that speaks S3's API
	@bash test/s3/run.sh

endpoint-table: setup ## Make the table of endpoints and its page anew
	@$(NODE) tools/endpoint-table.ts

test-sanitized: setup ## The engine's tests under ASan and UBSan
	@bash engine/test-sanitized.sh $(NODE) $(NODE_HOME)

dist/main.js: node_modules/.ready tsconfig.json tsconfig.release.json $(shell find src -name '*.ts')
	@$(NODE) node_modules/typescript/bin/tsc -p tsconfig.release.json
	@touch $@

build: dist/main.js ## Compile for release into dist/

clean: ## Remove what was built and installed
	rm -rf dist engine/build node_modules
