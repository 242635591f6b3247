# Calotype's chores. `make` alone lists them. ARGS= passes arguments on, for example: make test ARGS="-k members"

PYTHON ?= python3
# Tests run in so many processes, file by file: most of them wait, and stories are told in order.
JOBS ?= 2
ARGS ?=

PIP_FLAGS = -qq --disable-pip-version-check --no-input
LOCKED = install $(PIP_FLAGS) --require-hashes
# With the locked build backend already there: nothing is looked up.
PROJECT = install $(PIP_FLAGS) --no-build-isolation --no-deps --no-index -e .

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help env serve test tempest keystone check format lock bench clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

env: .venv/.runtime ## make .venv with what the service needs, and the service

serve: .venv/.runtime ## run the service
	.venv/bin/calotype serve $(ARGS)

test: .venv/.dev .venv-novaclient/.made $(wildcard .venv-tempest/.made .venv-keystone/.made) ## run the tests
	.venv/bin/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

tempest: .venv/.dev .venv-tempest/.made ## run OpenStack's own tests of images; from then on they belong to `make test`
	.venv/bin/python -m pytest tests/tempest $(ARGS)

keystone: .venv/.dev .venv-keystone/.made ## run the tests that need a Keystone; from then on they belong to `make test`
	.venv/bin/python -m pytest tests/keystone $(ARGS)

check: .venv/.dev ## lint, formatting, types, import rules
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports

format: .venv/.dev ## format the code and repair what ruff can
	.venv/bin/ruff format
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

lock: .venv/.dev ## re-create requirements/*.txt from *.in (newest versions: ARGS=--upgrade)
	.venv/bin/uv pip compile -q $(ARGS) requirements/build.in -o requirements/build.txt
	.venv/bin/uv pip compile -q $(ARGS) requirements/runtime.in -c requirements/build.txt -o requirements/runtime.txt
	.venv/bin/uv pip compile -q $(ARGS) requirements/dev.in -o requirements/dev.txt
	.venv/bin/uv pip compile -q $(ARGS) requirements/novaclient.in -o requirements/novaclient.txt
	.venv/bin/uv pip compile -q $(ARGS) requirements/tempest.in -o requirements/tempest.txt
	.venv/bin/uv pip compile -q $(ARGS) requirements/keystone.in -o requirements/keystone.txt

bench: .venv/.dev ## measure the figures of the README
	.venv/bin/python -m benchmarks $(ARGS)

clean: ## remove what these targets made
	rm -rf .venv .venv-novaclient .venv-tempest .venv-keystone build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# The environments. Each stamp is newer than what its environment was made from.

.venv/.runtime: requirements/build.txt requirements/runtime.in requirements/runtime.txt pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip $(LOCKED) -r requirements/build.txt -r requirements/runtime.txt
	.venv/bin/python -m pip $(PROJECT)
	touch $@

.venv/.dev: .venv/.runtime requirements/dev.txt
	.venv/bin/python -m pip $(LOCKED) -r requirements/dev.txt
	touch $@

# python-novaclient 6.0.2 needs a PrettyTable that has no wheel: the build backend goes first.
.venv-novaclient/.made: requirements/build.txt requirements/novaclient.txt
	rm -rf .venv-novaclient
	$(PYTHON) -m venv .venv-novaclient
	.venv-novaclient/bin/python -m pip $(LOCKED) -r requirements/build.txt
	.venv-novaclient/bin/python -m pip $(LOCKED) --no-build-isolation -r requirements/novaclient.txt
	touch $@

.venv-tempest/.made: requirements/tempest.txt
	rm -rf .venv-tempest
	$(PYTHON) -m venv .venv-tempest
	.venv-tempest/bin/python -m pip $(LOCKED) -r requirements/tempest.txt
	touch $@

.venv-keystone/.made: requirements/keystone.txt
	rm -rf .venv-keystone
	$(PYTHON) -m venv .venv-keystone
	.venv-keystone/bin/python -m pip $(LOCKED) -r requirements/keystone.txt
	touch $@
