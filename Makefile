# Everything is set up in .venv by pip; nothing else on the machine is touched.
PYTHON ?= python3
VENV := .venv
VARIANT ?= relu_squared
BIN := $(VENV)/bin
NANOGPT ?=
RAY ?= ray
AGAINST ?=
WEIGHTS ?=
CALLED = echo 'q1lab is $(abspath $(BIN)/q1lab). To call it as "q1lab" in this terminal: . $(abspath $(BIN)/activate)'

.DEFAULT_GOAL := help
.PHONY: help setup dev run app test test-rest test-all lint format types contracts check bench bench-speak faults draw-faults audit test-launchers size docs snapshots wheel clean

help:  ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "make %-12s %s\n", $$1, $$2}'

$(VENV)/.base: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "q1lab needs Python 3.11 or newer; try: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Setting up $(VENV) (torch is large; the first time takes a few minutes) ..."
	@$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --quiet --editable .
	@$(BIN)/python -m compileall -q q1lab labs
	@touch $@

$(VENV)/.dev: $(VENV)/.base
	@$(BIN)/python -m pip install --quiet --group dev
	@touch $@

setup: $(VENV)/.base  ## install q1lab into .venv
	@$(CALLED)

dev: $(VENV)/.dev  ## install what development needs, too
	@$(CALLED)

run: $(VENV)/.base  ## the main job: train a squared ReLU against the baseline, three seeds each, and compare
	@$(BIN)/q1lab run $(VARIANT) --seeds 3 --preset quick
	@$(CALLED)

app: $(VENV)/.base  ## open the app
	@$(BIN)/q1lab

test: $(VENV)/.dev  ## a selection of the tests, three minutes on two cores
	@$(BIN)/python -m pytest -q -n auto --dist worksteal -m "not long and not slow"

test-rest: $(VENV)/.dev
	@$(BIN)/python -m pytest -q -n auto --dist worksteal -m "slow and not long"

test-all: test  ## all tests but those that take minutes
	@$(MAKE) --no-print-directory test-rest

lint: $(VENV)/.dev  ## ruff, both its linter and its formatter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(VENV)/.dev  ## let ruff mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(VENV)/.dev  ## mypy, strict
	@$(BIN)/mypy

contracts: $(VENV)/.dev  ## who may import whom
	@$(BIN)/lint-imports

check: lint test  ## what CI runs; types and contracts are looked at beside the slow tests
	@$(MAKE) --no-print-directory -j 2 types contracts test-rest

bench: $(VENV)/.dev  ## speed: commands, first paint; against another checkout (AGAINST=path), and nanoGPT (NANOGPT=path)
	@$(BIN)/python benchmarks/run.py $(if $(AGAINST),--against $(AGAINST)) $(if $(NANOGPT),--nanogpt $(NANOGPT))

bench-speak: $(VENV)/.dev  ## speed of the model of `q1lab speak` against transformers (WEIGHTS=path of a copy)
	@$(BIN)/python benchmarks/speak.py $(if $(WEIGHTS),--weights $(WEIGHTS))

faults: $(VENV)/.dev  ## all fault tests, the long ones too, and a table of what they measured
	@$(BIN)/python tools/docs/faults.py

draw-faults: $(VENV)/.dev  ## one-line faults at random, ten a room, and the tests that notice them (ROOMS=, COPIES=)
	@$(BIN)/python tools/faults_drawn.py $(ROOMS) --copies $(or $(COPIES),1)

audit: $(VENV)/.dev  ## known vulnerabilities of what is installed (by hand: it asks the network)
	@$(BIN)/python tools/audit.py

test-launchers: $(VENV)/.dev  ## real Slurm, ssh and Ray (RAY=path of its command), where they are installed
	@RAY=$(RAY) $(BIN)/python -m pytest -q tests/launchers

size: $(VENV)/.base  ## print the lines and tokens of each room
	@$(BIN)/python tools/size.py

docs: $(VENV)/.dev  ## make the tables in the documents again (tools/docs/make.py says what else is made)
	@$(BIN)/python tools/docs/make.py

snapshots: $(VENV)/.dev  ## accept the app's screens as they are now
	@$(BIN)/python -m pytest -q tests/app -k picture --accept

wheel: $(VENV)/.dev  ## build the wheel and the sdist into dist/
	@$(BIN)/python -m build

clean:  ## remove what was set up and built here
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
