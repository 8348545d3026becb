# Portcullis: every task of a person who runs it or works on it. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory

export VENV ?= .venv
PY := $(VENV)/bin/python
# The first Python that is new enough; PYTHON=... chooses another one.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
WORKERS ?= auto
PYTEST_ARGS ?=
SUPERVISOR = $(PY) -m portal.supervisor
WITH_SERVERS = $(SUPERVISOR) services --
BENCH_SERVICES = $(SUPERVISOR) services --durable --data-dir "$${DATA_DIR:-.run}/bench" --
BENCH_ARGS ?=

.PHONY: help run test lint format bench bench-full reset environment environment-dev checks tests benchmarks

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  PORT=8000 DATA_DIR=.run HOST=127.0.0.1 VERBOSE=1 and the rest: docs/configuration.md"

run: environment ## Start everything on this machine, with the demo MSP (Ctrl-C ends it)
	@exec $(SUPERVISOR) run

test: environment-dev ## Everything that is checked: linters, types, tests, browser journeys
	@$(SUPERVISOR) browser
	@$(WITH_SERVERS) $(MAKE) --keep-going checks tests

lint: environment-dev ## Formatting, rules, types, import floors, missing migrations
	@$(WITH_SERVERS) $(MAKE) --keep-going checks

format: environment-dev ## Rewrite the sources in the house's format
	@$(PY) -m ruff check --quiet --fix . || true
	@$(PY) -m ruff format --quiet .

bench: environment-dev ## The short benchmarks, each a ratio against a baseline of the same run
	@$(BENCH_SERVICES) $(MAKE) benchmarks

bench-full: environment-dev ## All benchmarks at full size
	@$(BENCH_SERVICES) $(MAKE) benchmarks BENCH_ARGS=--full

reset: ## Throw the data away (database, logs, secrets, demo computers)
	@$(PYTHON) -m portal.supervisor.reset

environment:
	@test -n "$(PYTHON)" || { echo "Portcullis needs Python 3.11 or newer; set PYTHON=/path/to/it" >&2; exit 1; }
	@$(PYTHON) portal/supervisor/bootstrap.py embedded

environment-dev:
	@test -n "$(PYTHON)" || { echo "Portcullis needs Python 3.11 or newer; set PYTHON=/path/to/it" >&2; exit 1; }
	@$(PYTHON) portal/supervisor/bootstrap.py dev

# Inside of `make lint` and `make test`, where the servers run. All of them run, whichever fails.
CHECKS := check-rules check-format check-types check-floors check-migrations
.PHONY: $(CHECKS)
checks: $(CHECKS)
check-rules:
	$(PY) -m ruff check --quiet .
check-format:
	$(PY) -m ruff format --check --quiet .
check-types:
	$(PY) -m mypy
check-floors:
	$(VENV)/bin/lint-imports
check-migrations:
	$(PY) manage.py makemigrations --check --dry-run

benchmarks:
	$(PY) manage.py migrate --database=owner --noinput --verbosity 0
	$(PY) -m benchmarks $(BENCH_ARGS)

tests:
	$(PY) -m pytest --numprocesses=$(WORKERS) --maxprocesses=8 $(PYTEST_ARGS)
