# From a bare clone with python3 and make: `make lab` opens the lessons, `make test` checks everything.
# The environment lies in .venv; it follows pyproject.toml. Works with GNU make 3.81 and later.

PYTHON ?= python3
BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable

# a proxy that does not exist, so that tests download nothing
OFFLINE := http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9 no_proxy=127.0.0.1,localhost

# tests of one file share fixtures, so they run in one process; unit tests print the seed of their order
IN_PARALLEL := --numprocesses=2 --dist=loadfile
IN_ORDER := -p no:randomly
# nbgrader runs all exercises, solved and unsolved, in tests/test_exercise_notebooks.py, without MNIST;
# the last one uses MNIST if it is available
NOTEBOOKS := notebooks/*.ipynb notebooks/solutions/08_*.ipynb

.PHONY: help lab test quick matrix vscode lint format exercises clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

lab: .venv/lab-installed ## install, copy the lessons to ~/mnist_widgets_lessons, open JupyterLab
	$(BIN)/mnist-widgets lab

test: lint ## everything: lint, types, unit tests, JavaScript, browser tests, notebooks
	@echo "== A browser for the tests"
	@$(BIN)/python tests/browser/get_chromium.py
	@echo "== Unit tests"
	@$(BIN)/pytest tests --ignore=tests/browser $(IN_PARALLEL)
	@echo "== JavaScript"
	@if command -v node > /dev/null; then node --test tests/js/*.mjs; \
	else echo "NO NODE: the tests of the JavaScript were SKIPPED; they need Node.js 18 or later"; fi
	@echo "== Browser tests"
	@$(BIN)/pytest tests/browser $(IN_PARALLEL) $(IN_ORDER)
	@echo "== Notebooks"
	@$(OFFLINE) $(BIN)/pytest --nbmake $(IN_ORDER) --numprocesses=2 --timeout=600 $(NOTEBOOKS)

quick: .venv/test-installed ## the unit tests alone
	@$(BIN)/pytest tests --ignore=tests/browser $(IN_PARALLEL)

matrix: .venv/test-installed ## a browser test with old and new kernels and charts, not part of make test
	@$(BIN)/python tests/browser/get_chromium.py
	@$(BIN)/python scripts/run_matrix.py

vscode: .venv/test-installed ## a browser test with VS Code's widget renderer, which npm fetches
	@MNIST_WIDGETS_REQUIRE_BROWSER=1 $(BIN)/python tests/browser/get_chromium.py
	@MNIST_WIDGETS_REQUIRE_BROWSER=1 $(BIN)/pytest tests/browser/test_vscode_renderer.py -m vscode

lint: .venv/test-installed ## ruff and mypy
	@echo "== Lint"
	@$(BIN)/ruff check
	@echo "== Format"
	@$(BIN)/ruff format --check
	@echo "== Types"
	@$(BIN)/mypy

format: .venv/test-installed ## fix and format with ruff
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

exercises: .venv/test-installed ## make the students' notebooks from the solved ones
	@$(BIN)/python scripts/make_exercises.py

clean: ## remove caches and builds; the environment stays (rm -r .venv)
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache
	find . -path ./.venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/%-installed: pyproject.toml | $(BIN)/python
	@echo "== Installing what .venv lacks; this can take some minutes"
	@$(PIP_INSTALL) ".[$*]"
	@touch $@

$(BIN)/python:
	@echo "== Making .venv"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "mnist_widgets needs Python 3.10 or later; try: make PYTHON=python3.12")'
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }
