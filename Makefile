# `make run` shows the chat, `make test` checks everything. `make help` lists the rest.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
CARGO ?= cargo

.PHONY: help run test lint unit integration web ops live bench bench-short growth flood chaos chaos-push push-rate drain upgrade-test image-test image-digests chart-live docs api-fuzz autobahn fuzz

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

chart-live: ## Install, upgrade and uninstall the chart on a real Kubernetes API server, built from its Go modules; not in `make test`
	./scripts/chart-live.sh

live: ## Only the dashboards, held against the real roles under load with a real Prometheus
	./scripts/test.sh live

bench: ## Measure the embedded server and the roles against a bare relay; prints a table
	./scripts/bench.sh

bench-short: ## The embedded server against the relay, in a minute on 1,000 sockets; fails on a broken promise only
	./scripts/bench.sh --short

growth: ## Measure what a message costs with more gateways, a full log, more sockets; half an hour, draws docs/images/growth-*.svg
	[ -n "$${TIDINGS:-}" ] || $(CARGO) build --release --locked -p tidings -p tidings-loadtest --bin tidings --bin tidings-loadtest
	./scripts/growth.py --images docs/images $(ARGUMENTS)

flood: ## Measure what others notice while one client floods, and how long 2,000 conversations take to come
	./scripts/flood.sh

chaos: ## Kill each part at random moments under load for a long time; prints what was lost
	TIDINGS_CHAOS=long $(CARGO) test --release --test it -- --nocapture --exact fault::chaos::twenty_kills_of_each_part_lose_nothing

drain: ## Replace two gateways under 5,000 sockets and 1,000 messages a second; prints what clients noticed
	TIDINGS_DRAIN=long $(CARGO) test --test it -- --nocapture --exact \
	  fault::drain::gateways_are_replaced_one_after_the_other_without_a_storm_or_a_loss

upgrade-test: ## Run the journeys with the release before on this release's schema
	./scripts/upgrade-test.sh

chaos-push: ## Kill worker and push stage again and again while phones are to ring; prints what they show
	TIDINGS_CHAOS=long $(CARGO) test --release --test it -- --nocapture --exact push::chaos::kills_of_worker_and_push_stage_lose_no_push_and_show_none_twice

push-rate: ## Measure how many pushes a second one push process on one core hands to the fakes of the providers
	$(CARGO) build --release --bin tidings
	TIDINGS_RATE=long TIDINGS_TEST_PROGRAM="$(CURDIR)/target/release/tidings" \
	  $(CARGO) test --test it -- --nocapture --exact push::rate::a_backlog_of_pushes_arrives_whole

image-test: ## Build the container image for real with buildah and start it
	./scripts/image-test.sh

image-digests: ## Print the build arguments that pin the image's bases by today's digests; needs skopeo and a registry
	@sed -nE 's/^ARG ([A-Z]+_IMAGE)=(.*)/\1 \2/p' Dockerfile | while read -r name image; do \
	  digest=$$(skopeo inspect --no-tags --format '{{.Digest}}' "docker://$$image"); \
	  echo "--build-arg $$name=$$image@$$digest"; \
	done

api-fuzz: ## Hold a running server against its OpenAPI document with schemathesis
	./scripts/api-fuzz.sh

autobahn: ## Run the Autobahn WebSocket cases
	./scripts/autobahn.sh

fuzz: ## Fuzz client frames, queue payloads and tokens, ten minutes each
	./scripts/fuzz.sh

docs: ## Write the documents that are generated from the code and from a running server
	$(CARGO) run -q -- check-config --markdown > docs/configuration.md
	TIDINGS_WRITE_DOCUMENTS=1 $(CARGO) test --lib documents_that_are_checked_in
	TIDINGS_WRITE_DOCUMENTS=1 $(CARGO) test --test it reference_shows_every_frame
