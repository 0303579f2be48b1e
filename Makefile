# Every recipe runs with the Node that the project needs, whatever the machine's own is.
RUN := infra/with-node.sh
MILLRACE := bin/millrace

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-unit check test-long simulate mutants chaos chaos-report bench overload timing dedupe up down logs clean

help: ## List every target
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing: Node 24, packages, the engines
	@infra/setup.sh

demo: setup ## Run everything on sample traffic and print the reconciliation table
	@$(MILLRACE) demo

test: ## Install what is missing, then check and run every test
	@infra/setup.sh --tests || { echo '0 passed, 1 failed'; exit 1; }
	@$(RUN) node test/run.ts

test-unit: setup ## Run the tests that need no engine
	@$(RUN) node test/run.ts unit

test-long: setup ## The random tests at length: queries, requests and insights [QUERIES=100000 EXECUTED=100000 HISTORIES=2000]
	@MILLRACE_TEST_QUERIES=$(or $(QUERIES),100000) MILLRACE_TEST_EXECUTED=$(or $(EXECUTED),$(QUERIES),100000) MILLRACE_TEST_HISTORIES=$(or $(HISTORIES),2000) \
	  $(RUN) vitest run test/services/query-api/sql test/services/query-api/isolation test/integration/sql-random test/integration/isolation test/integration/insights test/integration/cohorts-criteria

check: setup ## Lint, format check, types and the layout rules
	@$(RUN) node test/run.ts check

simulate: setup ## Tell simulated histories of faults [SEEDS=10000 FROM=1], or one in full [SEED=n]
	@$(RUN) node test/simulation/run.ts $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),10000) --from $(or $(FROM),1))

bench: setup ## Measure this machine and write test/bench/latest.json [ONLY=analytics EVENTS=10000000]
	@$(RUN) node test/bench/run.ts $(ONLY) --events $(or $(EVENTS),10000000)

mutants: setup ## Plant one bug after the other and see that the simulation finds it: [SEEDS=1000] [ONLY=text]
	@$(RUN) node test/simulation/mutants.ts --write $(if $(SEEDS),--seeds $(SEEDS)) $(if $(ONLY),--only '$(ONLY)')

chaos: setup ## Kill everything under load and count: [MINUTES=5 SEED=n BROKERS=1|3 RATE=800 RECOVERIES=1 ROLLING=2 ONLY=text KILL=text AT_ONCE=2 OUT=dir], or JUDGE=dir: read a run again
	@$(RUN) node test/chaos/main.ts

chaos-report: ## Keep the chaos runs of this checkout under test/chaos/results and add up all into docs/reliability.md
	@$(RUN) node test/chaos/report.ts

overload: setup ## Load a collector past its capacity: MODE=overload|neighbour|outage MINUTES=1 CAPACITY=…
	@$(RUN) node test/bench/overload.ts --mode $(or $(MODE),overload) --minutes $(or $(MINUTES),1) --capacity '$(CAPACITY)'

timing: setup ## Whether times tell what answers do not: keys, datasets, objects of others [SAMPLES=10000]
	@$(RUN) node test/bench/timing.ts --samples $(or $(SAMPLES),10000)

dedupe: setup ## What remembered ids cost, and a takeover of them: MODE=window|takeover IDS=20000000 PARTITIONS=12
	@$(RUN) node test/bench/dedupe.ts --mode $(or $(MODE),window) --ids $(or $(IDS),20000000) --partitions $(or $(PARTITIONS),12)

up: setup ## Start engines and stages in the background
	@$(MILLRACE) up --detach

down: ## Stop what `make up` started and wait until it is gone
	@$(MILLRACE) down

logs: ## Follow the logs of everything that is up
	@tail -n 20 -F .millrace/logs/*.log

clean: ## Remove engines' data, logs and installed packages of this checkout; caches stay
	@[ ! -e .millrace/run/state.json ] || $(MILLRACE) down
	@rm -rf .millrace node_modules
