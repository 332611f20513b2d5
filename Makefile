# Every command of the project. `make help` lists them from their own comments.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS ?=
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo serve test test-fast soak bench lint format lock migration docs clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort | awk -F '\t' '{printf "  make %-12s %s\n", $$1, $$2}'

$(STAMP): requirements.lock pyproject.toml
	@echo "Setting up $(VENV) (once, about a minute) ..."
	@$(PYTHON) -c 'import sys; sys.exit("Belfry needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

setup: $(STAMP) ## create the environment (the other commands do it by themselves)

demo: $(STAMP) ## start Belfry on a fresh folder and play a small shop's day; ARGS=--exit ends afterwards
	@$(BIN)/belfry demo $(ARGS)

serve: $(STAMP) ## start Belfry on ./data; ARGS="--port 9000" and so on
	@$(BIN)/belfry serve --data-dir data $(ARGS)

lint: $(STAMP) ## lint, format check, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: $(STAMP) ## format the code and fix what can be fixed
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

test: lint ## everything that CI runs: lint, types, contracts, all tests but the soak sizes
	@$(BIN)/pytest -n $(JOBS) --dist loadfile -m "not soak" $(ARGS)

test-fast: $(STAMP) ## the unit tests alone, in seconds
	@$(BIN)/pytest tests/unit $(ARGS)

soak: $(STAMP) ## the trials in their full size (hours); results go to docs/reliability.md
	@$(BIN)/pytest -m soak -s --timeout=0 $(ARGS)

bench: $(STAMP) ## every figure of docs/performance.md, each with the raw limit below it
	@$(BIN)/python -m bench $(ARGS)

migration: $(STAMP) ## regenerate the first migration from the tables (before the first release only)
	@$(BIN)/python -m belfry.storage.relational.migrations.generate initial --initial

docs: $(STAMP) ## regenerate the reference pages that are made from the code
	@$(BIN)/belfry docs docs/reference

lock: ## choose the newest versions that pyproject.toml allows and write requirements.lock
	@test -x $(BIN)/uv || { $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet uv; }
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate --no-emit-index-url --quiet --output-file requirements.lock

clean: ## remove the environment, caches and the demo's folder
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis data
