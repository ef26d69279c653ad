# `make` sets everything up and runs the pipeline; `make help` lists the rest.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
JOBS ?=
# packages whose tests take little; those of whole stages, commands, exports and the pipeline are left to `make test`
QUICK_TESTS := $(addprefix tests/,augmentation config core data evaluation gan models runtime sources style_transfer \
	training vcs test_architecture.py test_systems_table.py)
# DVC runs `python` from PATH: it must be the environment's own
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: run setup here test test-quick test-slow lint ui clean help
.DEFAULT_GOAL := run

run: setup  ## set up, run the pipeline, print the leaderboard (the default)
	$(BIN)/vision check --fix
	$(BIN)/vision repro $(if $(JOBS),--jobs $(JOBS))
	@# DVC links single files to its cache, but leaves folders as copies: this frees their second half
	@$(BIN)/dvc checkout --relink --quiet
	@cat reports/leaderboard.md
	@echo
	@echo "Next:  open reports/index.html   or   make ui   (every run, side by side)"
	@echo "Keep:  git add dvc.lock reports && git commit -m 'Results'"

setup: $(INSTALLED)  ## make the environment in .venv

# an environment's scripts name its folder and its Python: once moved or copied they run another one, or none
here:
	@folder=$$(sed -n '1,2s|^[^/]*\(/.*\)/bin/python.*|\1|p' $(BIN)/pip 2>/dev/null | tail -n 1); \
	if [ -n "$$folder" ] && { [ ! "$$folder" -ef $(VENV) ] || [ ! -x $(BIN)/python ]; }; then \
		echo "ERROR: $(VENV) was made for $$folder, or its Python is gone; rm -rf $(VENV) && make setup" >&2; exit 1; fi

$(INSTALLED): requirements.lock pyproject.toml | here
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --progress-bar=on -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

test: setup  ## run the tests, minutes
	$(BIN)/python -m pytest

test-quick: setup  ## run the quick tests, two minutes: before each commit
	$(BIN)/python -m pytest -m "not slow and not long" $(QUICK_TESTS)

test-slow: setup  ## run the tests that take long, half an hour
	$(BIN)/python -m pytest -m slow

lint: setup  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

ui: setup  ## open MLflow's page of all runs
	$(BIN)/vision ui

clean:  ## remove what can be made again (not the environment, not the downloads)
	rm -rf models exports data/prepared data/features reports/models/*/*.png reports/index.html .ckpt dvc_plots
	find data/augmented data/synthetic -mindepth 1 -maxdepth 1 ! -name none -exec rm -rf {} +

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12
