# Each target does all its own set-up: a machine with Python 3.11 or later, pip, git and make is enough.
# uv is used when it is there. `make PYTHON=python3.12 ...` picks another interpreter.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What `make demo` needs, and what everything else needs, each with a stamp so that it is done once.
DEMO := $(VENV)/.demo
DEV := $(VENV)/.dev
# dvc pins packages that we have in other versions, so it gets an environment of its own.
PEERS := $(VENV)/peers
# How many processes run tests; `make test WORKERS=0` runs them in one, for a debugger.
WORKERS ?= auto
# A process begins with files of its own and takes tests of others when it has none left, so that two of them build few labs twice.
PARALLEL := -p xdist -n $(WORKERS) --dist worksteal

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test slow stress coverage lint format contracts types docs bench wheel clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

# The environment is made again when the packaging changes: --upgrade-strategy keeps that quick.
define install
	@$(PYTHON) -c 'import sys; sys.exit("finestflow needs Python 3.11 or later; try: make PYTHON=python3.12 ..." if sys.version_info < (3, 11) else 0)'
	@set -e; if command -v uv >/dev/null 2>&1; then \
	  test -x $(BIN)/python || uv venv --quiet --seed --python "$$(command -v $(PYTHON))" $(VENV); \
	  uv pip install -qq --python $(BIN)/python --editable '.[$(1)]'; \
	else \
	  test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV); \
	  $(BIN)/python -m pip install -qq --upgrade pip; \
	  $(BIN)/python -m pip install -qq --editable '.[$(1)]'; \
	fi
	@touch $@
endef

$(DEV): pyproject.toml
	@echo "setting up $(VENV) with everything (once)"
	$(call install,dev)
	@touch $(DEMO)

$(DEMO): pyproject.toml
	@echo "setting up $(VENV) (once)"
	$(call install,examples)

setup: $(DEV)  ## make the environment

demo: $(DEMO)  ## run the digits example and show what to look at next
	@$(BIN)/finestflow demo

test: $(DEV)  ## run the quick tier of tests, under a minute on two cores
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

slow: $(DEV) $(PEERS)/bin/dvc  ## run the slow tier of tests, and properties with more examples, some minutes
	$(BIN)/python -m pytest $(PARALLEL) -m "(slow or hypothesis) and not stress" --hypothesis-profile wide $(ARGS)

$(PEERS)/bin/dvc: | $(DEV)
	@echo "setting up $(PEERS) with dvc (once)"
	@{ $(BIN)/python -m venv $(PEERS) && $(PEERS)/bin/python -m pip install -qq 'dvc>=3'; } || echo "dvc cannot be had: its test is skipped"

stress: $(DEV) $(PEERS)/bin/dvc  ## run the longest tier of tests: before a release, not before each change
	$(BIN)/python -m pytest $(PARALLEL) -m stress --timeout 1800 $(ARGS)
	$(BIN)/python -m pytest $(PARALLEL) -m "not stress" --hypothesis-profile deep --timeout 1800 tests/properties $(ARGS)

coverage: $(DEV)  ## run the quick and the slow tier and show what they do not reach
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest $(PARALLEL) -m "not stress" $(ARGS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

lint: $(DEV)  ## style, layers and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy --strict finestflow tui

format: $(DEV)  ## let ruff put things right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(DEV)  ## build the documentation; a warning is an error
	$(BIN)/python -m sphinx -n -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

bench: $(DEV)  ## run the benchmarks
	@set -e; for script in tests/bench/[!_]*.py; do \
	  name=$$(basename $$script .py); echo "== $$name"; $(BIN)/python -m tests.bench.$$name; \
	done

wheel: $(DEV)  ## build the wheel into dist/
	$(BIN)/python -m pip wheel -qq --no-deps --wheel-dir dist .

clean:  ## remove what the targets made
	rm -rf $(VENV) build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage*
