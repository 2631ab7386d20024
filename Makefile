# Flagseal: `make up` to see it run, `make test` to check it. Needs Python 3.11 or newer, git with ssh-keygen, make.
# Everything is installed into .venv, from pins with hashes (constraints.txt).

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
ifndef PYTHON
PYTHON := $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$python" -c '$(NEW_ENOUGH)' 2>/dev/null && { echo "$$python"; break; }; done)
endif

BIN := .venv/bin
INSTALLED := .venv/.installed
BENCH_INSTALLED := .venv/.bench-installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Processes that run tests at once. One more than two cores, since journeys wait for other processes much of the time.
JOBS ?= 3
# More words for the command behind a target: make up ARGS="--port 9000", make test ARGS="-k history".
ARGS ?=

.PHONY: help up test search test-cluster soak soak-cluster check bench fmt generate crds constraints clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: $(INSTALLED) ## Run the whole main job on a demo company; stops with Ctrl-C
	@exec $(BIN)/flagseal up $(ARGS)

test: $(INSTALLED) ## Pass the tests; a part of them: make test ARGS="tests/cli"
	@$(if $(ARGS),,echo 'All tests take twenty minutes on two cores; a part: make test ARGS="tests/cli"')
	$(BIN)/pytest -n $(JOBS) --dist worksteal $(ARGS)

check: $(INSTALLED) ## What CI runs: format, lint, types, import contracts, generated files, tests
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	@before=$$(git hash-object $(GENERATED)); $(MAKE) --no-print-directory generate; \
	[ "$$before" = "$$(git hash-object $(GENERATED))" ] || \
		{ echo "Generated files were not what their source says; they are now: commit them."; exit 1; }
	$(MAKE) --no-print-directory test

SECONDS ?= 60
soak: $(INSTALLED) ## Change and ask for SECONDS (default 60), and see that nothing grows
	$(BIN)/python -m tests.soak.soaking --seconds $(SECONDS)

soak-cluster: $(INSTALLED) ## Change a cluster in every way for SECONDS, against a model: set KUBEBUILDER_ASSETS
	$(BIN)/python -m tests.cluster.soaking --seconds $(SECONDS) $(ARGS)

search: $(INSTALLED) ## Look for counterexamples, with other examples than the tests' own and many more
	HYPOTHESIS_PROFILE=search $(BIN)/pytest -n $(JOBS) --dist worksteal -m hypothesis $(ARGS)

test-cluster: $(INSTALLED) ## The tests that need a Kubernetes API server: set KUBEBUILDER_ASSETS
	$(BIN)/pytest tests/cluster $(ARGS)

bench: $(BENCH_INSTALLED) ## Measure every budget against its peers
	@for benchmark in benchmarks/bench_*.py; do $(BIN)/python "$$benchmark" $(ARGS); done

fmt: $(INSTALLED) ## Format, and repair what a tool can
	$(BIN)/ruff check --fix --exit-zero --quiet
	$(BIN)/ruff format

GENERATED = validators/schemas/*.json validators/schemas/output/*.json operator/crds/*.yaml docs/rules/*.md
generate: crds ## Write the files that are made from others (JSON Schemas, CRDs, the rules' pages)
	$(BIN)/python -m flagseal_validators.schemas
	$(BIN)/python -m flagseal_validators.rule_pages

crds: $(INSTALLED) ## Write the custom resource definitions from the schemas
	$(BIN)/python -m flagseal_operator.crds

# Only releases older than a week enter the pins. The files name packages, versions and hashes, and no index.
COMPILE = $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --exclude-newer "$$($(BIN)/python -c 'import datetime as d; print(d.date.today() - d.timedelta(days=7))')"
HEADER = \# Everything that $(1) installs, pinned with hashes. Made by "make constraints" from pyproject.toml.
constraints: $(INSTALLED) ## Pin the newest releases that are older than a week
	$(COMPILE) --extra all --group dev --output-file constraints.txt pyproject.toml >/dev/null
	$(COMPILE) --extra all --constraints constraints.txt --output-file constraints-image.txt pyproject.toml >/dev/null
	$(COMPILE) --extra forge --constraints constraints.txt --output-file constraints-forge.txt pyproject.toml >/dev/null
	$(COMPILE) --group bench --constraints constraints.txt --output-file constraints-bench.txt pyproject.toml >/dev/null
	@printf '%s\n' '$(call HEADER,make)' | cat - constraints.txt > .venv/pins && mv .venv/pins constraints.txt
	@printf '%s\n' '$(call HEADER,the image)' | cat - constraints-image.txt > .venv/pins && mv .venv/pins constraints-image.txt
	@printf '%s\n' '$(call HEADER,a workflow of a flag repository)' | cat - constraints-forge.txt > .venv/pins && mv .venv/pins constraints-forge.txt
	@printf '%s\n' '$(call HEADER,make bench)' | cat - constraints-bench.txt > .venv/pins && mv .venv/pins constraints-bench.txt

clean: ## Remove everything that make made; never the demo or its keys
	rm -rf .venv .cache dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Hashed pins refuse an editable install, so the project itself follows, without dependencies or isolation.
$(INSTALLED): constraints.txt pyproject.toml
	@if [ -z "$(PYTHON)" ] || ! $(PYTHON) -c '$(NEW_ENOUGH)'; then \
		echo "Flagseal needs Python 3.11 or newer, and found none on PATH$(if $(PYTHON), ($(PYTHON) is older))."; \
		echo "Install one, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 2; fi >&2
	@for tool in git ssh-keygen; do command -v $$tool >/dev/null || \
		{ echo "Flagseal needs $$tool (git, and OpenSSH's ssh-keygen): install it first." >&2; exit 2; }; done
	@echo "Setting up .venv: some 130 packages, in a minute or a few, once"
	@$(PYTHON) -m venv .venv
	@$(PIP) install --require-hashes --requirement constraints.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(BENCH_INSTALLED): $(INSTALLED) constraints-bench.txt
	@$(PIP) install --require-hashes --requirement constraints-bench.txt
	@touch $@
