# make run    starts the portal; needs Python 3.11 or newer and nothing else.
# make help   says what else there is.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := portal devices twins provisioning sdk/src benchmarks
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help run test lint format bench clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "Variables of make run: PORT, HOST, DATA_DIR, GANGWAY_ADMIN_PASSWORD, DATABASE_URL, REDIS_URL; all are in docs/configuration.md."

run: $(VENV)/installed  ## start the portal and everything it needs, until Ctrl-C
	@exec $(BIN)/python -m portal.launch

test: $(VENV)/installed-dev  ## run all tests, on SQLite and PostgreSQL, with real Redis and a real browser
	@exec $(BIN)/python -m tests.run $(ARGS)

# Only what the portal's own checks ask for; no portal is reached with it.
lint: export SECRET_KEY = only-for-checks-0123456789-0123456789-0123456789
lint: export DATABASE_URL = sqlite://:memory:
lint: export PUBLIC_URL = https://portal.example
lint: $(VENV)/installed-dev  ## check style, types, templates, migrations and settings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	find templates devices twins provisioning portal -name '*.html' -exec $(BIN)/djade --check --target-version 5.2 {} +
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py check --fail-level WARNING

format: $(VENV)/installed-dev  ## bring source and templates into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	find templates devices twins provisioning portal -name '*.html' -exec $(BIN)/djade --target-version 5.2 {} +

bench: $(VENV)/installed-dev  ## run one script of benchmarks/: make bench NAME=…
	@exec $(BIN)/python -m benchmarks.run $(NAME)

clean:  ## remove the environment and caches; the portal's data stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis sdk/.pytest_cache sdk/src/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An interrupted installation leaves no stamp behind, and is done again.
$(VENV)/installed: requirements.txt constraints.txt sdk/pyproject.toml | $(BIN)/pip
	@echo "Installing into $(VENV)/ …"
	@$(PIP_INSTALL) -r requirements.txt -e ./sdk
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	@echo "Installing what tests and checks need …"
	@$(PIP_INSTALL) -r requirements-dev.txt
	@touch $@

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gangway: Gangway needs Python 3.11 or newer; set PYTHON to one.")'
	@$(PYTHON) -m venv --clear $(VENV)
