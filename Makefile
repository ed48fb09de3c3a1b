PYTHON ?= python3
VENV ?= .venv
ARGS ?=

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST := $(BIN)/python -m pytest
PARALLEL := -n auto --maxprocesses 8 --dist loadscope --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help venv demo test quick notebooks lint mutants bench tables clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(STAMP) ## Create or update the virtual environment (PYTHON=python3, VENV=.venv)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -c constraints.txt -e ".[test]"
	@touch $@

demo: $(STAMP) ## Fit Newcomb's measurements, print the table, draw the figure
	$(BIN)/python examples/newcomb.py

test: $(STAMP) ## Run every test, the slow ones too (ARGS="-k solver"; HELLGAN_TEST_FULL=1: all replications)
	$(PYTEST) $(PARALLEL) $(ARGS)

quick: $(STAMP) ## Run the tests that are not slow
	$(PYTEST) $(PARALLEL) -m "not slow" $(ARGS)

notebooks: $(STAMP) ## Execute the notebooks, two at a time, keep their outputs (ARGS=notebooks/01_quickstart.ipynb)
	$(PYTEST) --nbmake --nbmake-timeout=900 --overwrite -n 2 $(or $(ARGS),notebooks)
	$(BIN)/python benchmarks/provenance.py $(or $(ARGS),$(wildcard notebooks/*.ipynb))

lint: $(STAMP) ## Check style, formatting, imports and types (pyright needs node)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/pyright --pythonpath $(BIN)/python

mutants: $(STAMP) ## Plant bugs in a copy of the package; each must make a test fail
	$(BIN)/python tests/mutants.py

bench: $(STAMP) ## Run the benchmarks (ARGS=--quick: whether they work)
	for name in profile_fit floor threads peers scaling; do $(BIN)/python benchmarks/$$name.py $(ARGS) || exit 1; done

tables: $(STAMP) ## Make the tables of README and docs anew (ARGS="peers rates": run these benchmarks before)
	$(BIN)/python benchmarks/tables.py $(ARGS)

clean: ## Remove the virtual environment, caches and build products
	rm -rf $(VENV) build dist .benchmarks .hypothesis .pytest_cache .ruff_cache
	find hellgan tests -name __pycache__ -type d -prune -exec rm -rf {} +
