# Tandem. `make help` says what there is; `make run` is all that a newcomer needs.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
PYTHON := $(VENV)/bin/python
# Deselects and options for a quick look: make test PYTEST="-k outbox"
PYTEST ?=

.PHONY: help setup run test check lint model test-setup peers bench bench-nlu readme faults lock clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/ready  ## Make the environment in .venv (needs nothing but Python 3.11)
	@:

run: setup  ## Start Tandem with the sample shop and print where to go
	@exec $(PYTHON) -m bot run

test: test-setup peers  ## Make what the checks need and run all of them
	@$(MAKE) check

check:  ## The checks alone: format, lint, types, layers, tests
	@$(MAKE) --jobs 2 lint model
	@$(PYTHON) -m pytest -n 3 --dist loadfile --no-loadscope-reorder --cov --cov-report= $(PYTEST)
	@$(PYTHON) -m coverage report | tail -1

lint: test-setup  ## Format, lint, types and layers
	@$(VENV)/bin/ruff format --check --quiet . || { echo 'Not formatted: run ".venv/bin/ruff format"'; exit 1; }
	@$(VENV)/bin/ruff check --quiet .
	@$(PYTHON) -m mypy
	@$(VENV)/bin/lint-imports

model: test-setup
	@$(PYTHON) -m bot train

bench: test-setup  ## Measure the figures that the README states
	@for script in benchmarks/[a-z]*.py; do module=$${script%.py}; echo "== $$module"; $(PYTHON) -m "$${module//\//.}"; done

# DATA=folder of *.tsv; SEEDS=3; STOCK=1 for a stock Rasa beside, of EPOCHS=100; ONLY=parts,of,names; SETTINGS='{"l2": 1e-5}'
bench-nlu: test-setup  ## Measure understanding on public data sets: make bench-nlu DATA=folder [SEEDS=3] [STOCK=1 [EPOCHS=100]]
	@$(PYTHON) -m benchmarks.nlu $(if $(DATA),--data $(DATA)) --seeds $(or $(SEEDS),3) $(if $(STOCK),--stock) \
	    $(if $(EPOCHS),--epochs $(EPOCHS)) \
	    $(if $(ONLY),--only $(ONLY)) $(if $(SETTINGS),--settings '$(SETTINGS)')

readme: test-setup  ## Bring the README's table of channels up to date
	@$(PYTHON) -m tests.features

pictures: test-setup peers  ## Draw the pictures of docs/agents.md from what Slack gets
	@$(PYTHON) -m tests.pictures.draw

faults: test-setup peers  ## Kill the service and the engine under load, cut the power, search the model, throw strings at the desk
	@$(PYTHON) -m pytest tests/faults tests/model tests/power -m faults -n 3 --dist load --maxschedchunk 1 \
	    --durations 25 $(PYTEST)

# There is no uv.lock: it would record the address that each file was downloaded from, which differs from place to place.
# requirements.txt records names, versions and hashes, which do not.
lock: setup  ## Compile requirements.txt and tests/requirements.txt anew from pyproject.toml (UPGRADE=1 raises versions)
	@compile() { $(VENV)/bin/uv pip compile --quiet --python-version 3.11 --python-platform x86_64-unknown-linux-gnu \
	    --generate-hashes --no-emit-index-url --no-annotate --no-header $(if $(UPGRADE),--upgrade) "$$@"; }; \
	compile pyproject.toml --output-file requirements.txt; \
	compile --group test --constraint requirements.txt --output-file tests/requirements.txt

clean:  ## Remove the environment, caches and all run-time state (the database too)
	@rm -rf $(VENV) var .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# ---------------------------------------------------------------------------------------------------------------------

test-setup: $(VENV)/ready-for-tests
	@:

# Each stamp is a file, so a second run finds it and does nothing.
$(VENV)/ready: requirements.txt pyproject.toml .ci/environment
	@.ci/environment $(VENV) requirements.txt $$([ ! -e $(VENV)/ready-for-tests ] || echo tests/requirements.txt)
	@touch $@ $$([ ! -e $(VENV)/ready-for-tests ] || echo $(VENV)/ready-for-tests)

$(VENV)/ready-for-tests: $(VENV)/ready tests/requirements.txt
	@.ci/environment $(VENV) requirements.txt tests/requirements.txt
	@touch $@

# Programs of others' that tests run against: see the script.
peers:
	@.ci/peers
