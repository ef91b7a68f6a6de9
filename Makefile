# Needs make and Python 3.11 or newer. Everything is installed into .venv, and nothing elsewhere.
#   make test PYTHON=python3.13     another interpreter (run `make clean` first)
#   make demo ARGS=--quick          arguments for the program that runs

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
# `python -m pip`, because a script's first line may be too long for the system in a deep folder.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.DELETE_ON_ERROR:
.PHONY: help demo test test-numba bench clean

help:
	@echo "make demo        train a network on handwritten digits, plot the loss, draw the graph"
	@echo "make test        lint, types, tests, documentation: what has to pass before a commit"
	@echo "make test-numba  the compiler's tests with numba, which make test does without"
	@echo "make bench       training steps beside other frameworks"
	@echo "make clean       remove .venv, caches and build products"
	@echo "Options: ARGS=\"...\" for the program that runs, PYTHON=... for the interpreter."

demo: .venv/.demo
	$(BIN)/python examples/mnist_mlp.py $(ARGS)

test: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses auto $(ARGS)

# Generated loops have the bits of NumPy's functions: the same tests, with numba installed.
test-numba: .venv/.numba
	$(BIN)/python -m pytest --numprocesses auto tests/test_compile*.py tests/test_optim*.py $(ARGS)

bench: .venv/.bench
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf .venv build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One environment for all: each stamp adds what its command needs and removes nothing.
.venv/.made:
	@$(PYTHON) -c "" 2>/dev/null || \
		{ echo "tensorgrad needs Python 3.11 or newer: '$(PYTHON)' does not run; try make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
		{ echo "tensorgrad needs Python 3.11 or newer: '$(PYTHON)' is $$($(PYTHON) --version 2>&1); try make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c "import ensurepip, venv" 2>/dev/null || \
		{ echo "'$(PYTHON)' lacks the module venv: install it (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

# The renderer of the extra `draw` has no wheel for some machines: all the rest works without it.
# The first attempt is silent: what else is wrong stops the second one, which says so.
WITHOUT_DRAW := echo "The extra [draw] cannot be installed: pictures of graphs will need Graphviz's program dot."

.venv/.demo: pyproject.toml .venv/.made
	@echo "Installing tensorgrad into .venv (a minute the first time)"
	@$(PIP) -e ".[draw]" 2>/dev/null || { $(WITHOUT_DRAW); $(PIP) -e .; }
	@touch $@

.venv/.test: pyproject.toml .venv/.made
	@echo "Installing tensorgrad and the tools of its tests into .venv (a minute the first time)"
	@$(PIP) -e ".[test,progress,draw]" 2>/dev/null || { $(WITHOUT_DRAW); $(PIP) -e ".[test,progress]"; }
	@touch $@ .venv/.demo

.venv/.numba: .venv/.test
	@echo "Installing numba into .venv"
	@$(PIP) -e ".[fast]"
	@touch $@

.venv/.bench: pyproject.toml .venv/.made
	@echo "Installing tensorgrad and the other frameworks into .venv (a minute the first time)"
	@$(PIP) -e ".[bench]"
	@touch $@
