# `make run` and `make test` are all a fresh machine needs: Python 3.11 with venv, and make.
# Installing is remembered in stamp files, so a second run starts at once.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# More arguments for the command behind a target: make run ARGS="--port 9000"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test lint types bench lock install clean

help: ## List what can be made.
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST)

run: $(VENV)/.prod ## Install, set up a demo portal in var/ and serve it.
	@$(BIN)/python manage.py run_portal $(ARGS)

test: $(VENV)/.test ## Run the test suite on SQLite and on a real PostgreSQL.
	@$(BIN)/python -m tests.run $(ARGS)

lint: $(VENV)/.dev ## Check style and formatting.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.dev ## Check types.
	@$(BIN)/mypy .

bench: $(VENV)/.test ## Measure speed on a real PostgreSQL.
	@$(BIN)/python -m tests.bench $(ARGS)

install: $(VENV)/.dev ## Install everything a developer needs.

lock: $(VENV)/.dev ## Write requirements/*.txt anew from pyproject.toml.
	$(BIN)/uv lock --upgrade
	$(call export,install,--only-group install)
	$(call export,prod,--no-default-groups)
	$(call export,test,--no-default-groups --group test)
	$(call export,dev,--no-default-groups --group dev)

clean: ## Remove what was installed and built; the data in var/ stays.
	rm -rf $(VENV) staticfiles .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

define export
@$(BIN)/uv export --quiet --frozen --no-header --format requirements-txt $(2) --output-file requirements/$(1).txt
endef

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
		|| { rm -rf $(VENV); echo "Python's venv module is needed (Debian: apt install python3-venv)."; exit 1; }

# uv installs in seconds; without it pip does the same in half a minute.
$(VENV)/.uv: requirements/install.txt | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $< \
		|| echo "uv could not be installed; going on with pip."
	@touch $@

$(VENV)/.prod $(VENV)/.test $(VENV)/.dev: $(VENV)/.%: requirements/%.txt $(VENV)/.uv
	@echo "Installing $< ..."
	@{ [ -x $(BIN)/uv ] && $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r $<; } \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@
