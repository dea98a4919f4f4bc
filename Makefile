# `make demo` on a fresh machine needs Docker, Python 3.11 or newer and, to install the rest, Debian and root.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Compiled Python is kept, also where an environment (many containers') says not to: without it each process of the tests
# compiles everything anew, which is half of their time. `make clean` removes it.
export PYTHONDONTWRITEBYTECODE :=

PYTHON ?= python3
VENV := .venv/bin/python
# For tests that measure nothing: on all processors.
AT_ONCE := --numprocesses auto --dist worksteal
# What mostly waits, for real load or for Docker: a file beside another, but for what goes by the clock.
BESIDE := --numprocesses auto --dist loadfile
LOAD_TESTS := tests/integration/loadtests
TIMED = $(shell grep -l pytest.mark.timed $(LOAD_TESTS)/*.py)
DEMO_MODELS := $(shell sed -nE 's/^models: *\[(.*)\].*/\1/p' sweeps/quickstart.yaml | tr , ' ')

.PHONY: help demo demo-swarm setup images test test-unit test-parts test-lab test-vm lint docs bench proof clean python

help: ## Say what can be made
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

demo: python ## Set up what it takes and compare five models across CPU limits (about 3 minutes from nothing)
	@$(PYTHON) -m testbed.setup --images $(DEMO_MODELS)
	@$(VENV) orchestrate.py sweep sweeps/quickstart.yaml

demo-swarm: python ## The same on a Docker Swarm of three engines that this machine starts for it (Linux, root)
	@$(PYTHON) -m testbed.setup --images $(DEMO_MODELS)
	@$(VENV) -m tests.lab.demo

setup: python ## Get what this machine lacks: .venv, Compose plugin, base of the images
	@$(PYTHON) -m testbed.setup

images: python ## The same, and build all images that are missing or of other code
	@$(PYTHON) -m testbed.setup --images

test: python ## Run every test: unit, integration, and end to end on real Docker and a real browser
	@$(PYTHON) -m testbed.setup --browser --images
	@# Exit code 5: nothing of it was asked for.
	@$(VENV) -m pytest tests/unit tests/integration/servers $(AT_ONCE) $(PYTEST) || test $$? = 5
	@$(VENV) -m pytest $(LOAD_TESTS) tests/e2e -m "not timed" $(BESIDE) $(PYTEST) || test $$? = 5
	@$(VENV) -m pytest $(TIMED) tests/e2e -m timed $(PYTEST)

test-unit: setup-venv ## Run the tests that need no Docker and no network, in seconds
	@$(VENV) -m pytest tests/unit $(AT_ONCE) $(PYTEST)

test-parts: images ## Run the tests of replicas, fronts and what scales them, on real Docker (about 18 minutes)
	@$(VENV) -m pytest tests/parts -m "not timed" $(BESIDE) $(PYTEST) || test $$? = 5
	@$(VENV) -m pytest tests/parts -m timed $(PYTEST)

test-lab: setup ## Run the tests that start Docker engines of their own (Linux, root; 9 minutes)
	@THREADMILL_LAB=1 $(VENV) -m pytest tests/lab $(PYTEST)

test-vm: setup ## Try it all on an emulated Debian 13 with cgroup version 2 and Engine 26 as well (Linux, root; VM="--keep ...")
	@$(VENV) -m tests.vm $(VM)

lint: setup-venv ## Check style, types, and which folder may import which
	@$(VENV) -m ruff check .
	@$(VENV) -m ruff format --check .
	@$(VENV) -m mypy
	@.venv/bin/lint-imports --no-cache --no-logo

docs: setup-venv ## Write anew what is made from the program's own: tables of docs/, Locust's list of models
	@$(VENV) -m testbed.docs

bench: images ## Measure generator, servers, network path and overheads; BENCH="NAME ..." chooses (23 minutes)
	@$(VENV) -m benchmarks $(BENCH)

proof: images ## Try what docs/method.md claims of the numbers, on this machine (about 40 minutes)
	@$(VENV) -m benchmarks.proofs

clean: ## Remove what was made here: .venv, caches, and Threadmill's own images (never results, never anything else's)
	@grep -qs "^# Written by Threadmill" .env && rm -f .env || true
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@docker images --quiet --filter label=threadmill.role | sort -u | xargs --no-run-if-empty docker rmi --force

.PHONY: setup-venv
setup-venv: python
	@$(PYTHON) -m testbed.setup --only-venv

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo 'Threadmill needs Python 3.11 or newer as `$(PYTHON)`: install it, or name one with make PYTHON=/path/to/python3' >&2; exit 2; }
