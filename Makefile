# `make run` shows the chat, `make test` checks everything. `make help` lists the rest.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
CARGO ?= cargo

.PHONY: help run test lint unit integration web ops bench bench-short chaos image-test docs

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: ## Start a chat on http://127.0.0.1:8080, without any service
	@echo "Building; the first time takes some minutes."
	$(CARGO) build --release --bin tidings
	@echo
	@echo "    Open http://127.0.0.1:8080 in two windows, sign up two people, and let them talk."
	@echo "    Everything is kept in ./tidings-data. Ctrl-C stops it."
	@echo
	./target/release/tidings dev

test: ## Check everything: format, lints, licences, unit, contract, journey and fault tests, page, chart
	./scripts/test.sh

lint: ## Only formatting, lints and dependencies
	./scripts/test.sh lint

unit: ## Only the unit tests
	./scripts/test.sh unit

integration: ## Only the tests against real RabbitMQ, Postgres and Redis
	./scripts/test.sh integration

web: ## Only the tests of the page and the client, in a real Chromium
	./scripts/test.sh web

ops: ## Only the chart, the dashboards and the rules
	./scripts/ops-test.sh

bench-short: ## The same in a minute on 1,000 sockets; fails on a broken promise only
	./scripts/bench.sh --short

bench: ## Measure the embedded server and the roles against a bare relay; prints a table
	./scripts/bench.sh

chaos: ## Kill each part at random moments under load for a long time; prints what was lost
	TIDINGS_CHAOS=long $(CARGO) test --release --test it -- --nocapture --exact fault::chaos::twenty_kills_of_each_part_lose_nothing

image-test: ## Build the container image for real with buildah and start it
	./scripts/image-test.sh

docs: ## Write the documents that are generated from the code
	$(CARGO) run -q -- check-config --markdown > docs/configuration.md
