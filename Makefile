# Headroom from a checkout: `make demo` shows it, `make test` proves it. Needs Python 3.11 to 3.14 and GNU make.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test check audit code types floors pages django chaos bench screenshots run shell format clean
SHELL := /bin/sh

PYTHON ?= python3
PY := .venv/bin/python
EMBEDDED := $(PY) -m config.embedded run --with-parent
TEMPLATES = $(shell find templates $(wildcard */templates) -name '*.html')
export PYTHONUNBUFFERED = 1

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: export HEADROOM_DEMO = 1
demo: .venv/.demo ## Show Headroom with a dozen tenants and traffic (PORT=8000 chooses the port)
	@$(PY) -m demo.preflight var/demo
	@$(EMBEDDED) --data var/demo -- $(PY) manage.py demo

test: export HEADROOM_DEMO = 1
test: .venv/.dev ## Run the tests on servers of their own (ARGS= for pytest, REDIS_SERVER= a program)
	@$(EMBEDDED) --throwaway $(if $(REDIS_SERVER),--redis-server $(REDIS_SERVER)) -- $(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

check: code types floors pages django ## Check format, lint, types, floors, templates, migrations and settings
code types floors pages django: .venv/.dev
types django: export HEADROOM_DEMO = 1
code:
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
types:
	$(PY) -m mypy .
floors:
	.venv/bin/lint-imports
pages:
	.venv/bin/djade --target-version 5.2 --check $(TEMPLATES)
	$(PY) -m djhtml --tabwidth 2 --check $(TEMPLATES)
	$(PY) -m djlint --quiet --lint $(TEMPLATES)
django:
	@$(EMBEDDED) --throwaway -- sh -ec '$(PY) manage.py makemigrations --check --dry-run; $(PY) manage.py check'

chaos: export HEADROOM_DEMO = 1
chaos: .venv/.dev ## Break a running Headroom at random and compare (SECONDS=600, CHAOS_SEED= repeats an order)
	@SECONDS=$(or $(SECONDS),600) CHAOS_SEED=$(CHAOS_SEED) DJANGO_SETTINGS_MODULE=config.settings $(PY) -m tests.chaos

audit: .venv/.made pyproject.toml constraints.txt ## Ask for known weaknesses of what is installed, and read the code for more
	@$(call install,audit)
	.venv/bin/bandit --quiet -ll -c pyproject.toml -r config tenants billing usage demo
	.venv/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip

bench: .venv/.dev ## Measure on servers of its own (BENCH=check, or another name in bench/)
	@$(EMBEDDED) --throwaway -- $(PY) bench/$(or $(BENCH),check).py

screenshots: export HEADROOM_DEMO = 1
screenshots: .venv/.dev ## Take every page of a demo of its own into docs/screenshots
	@$(EMBEDDED) --throwaway -- $(PY) manage.py screenshots

run: .venv/.demo ## Serve with your servers (DATABASE_URL, REDIS_URL; PORT=, HEADROOM_HOST=)
	$(if $(DATABASE_URL)$(DATABASE_URL_FILE),,$(error make run needs DATABASE_URL; `make demo` brings its own servers))
	$(if $(REDIS_URL)$(REDIS_URL_FILE),,$(error make run needs REDIS_URL; `make demo` brings its own servers))
	@$(PY) manage.py check --deploy --fail-level ERROR
	@$(PY) manage.py migrate --noinput --verbosity 0
	@$(PY) manage.py collectstatic --noinput --verbosity 0
	@$(PY) -m config.serve

shell: export HEADROOM_DEMO = 1
shell: .venv/.demo ## Open a Python shell on the demo's data, also beside a running demo
	@$(EMBEDDED) --data var/demo -- $(PY) manage.py shell

format: .venv/.dev ## Format code and templates
	@$(PY) -m ruff check --quiet --fix-only .
	@$(PY) -m ruff format .
	@.venv/bin/djade --target-version 5.2 $(TEMPLATES) || true
	@$(PY) -m djhtml --tabwidth 2 $(TEMPLATES)

clean: ## Remove .venv, the demo's data and caches
	@if [ -x $(PY) ] && [ -d var/demo ]; then $(PY) -m config.embedded clear --data var/demo; fi
	@rm -rf .venv var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What pyproject.toml asks for, a line each: installing the project itself would fetch and leave build tools.
LIST = import sys, tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	extras = [line for name in sys.argv[1:] for line in project["optional-dependencies"][name]]; \
	print(*project["dependencies"], *extras, sep="\n")
install = $(PY) -c '$(LIST)' $(1) > .venv/requirements.txt && \
	$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -r .venv/requirements.txt

.venv/.demo: .venv/.made pyproject.toml constraints.txt
	@echo "Installing what Headroom needs (the first time takes about a minute)"
	@$(call install,)
	@touch $@

.venv/.dev: .venv/.made pyproject.toml constraints.txt
	@echo "Installing what Headroom and its tests need (the first time takes about a minute)"
	@$(call install,dev)
	@touch $@ .venv/.demo

# A .venv that works is kept; one whose Python has gone is made anew, with everything in it.
ifeq ($(shell $(PY) -m pip --version >/dev/null 2>&1 && echo works),works)
.venv/.made:
	@touch $@
else
version = $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
is_new = $(shell $(PYTHON) -c 'import sys; print(sys.version_info >= (3, 11) or "")' 2>/dev/null)
has_venv = $(shell $(PYTHON) -c 'import ensurepip, venv; print("yes")' 2>/dev/null)
.PHONY: .venv/.made
.venv/.made:
	$(if $(version),,$(error There is no $(PYTHON): install Python 3.11 or newer, or name one with PYTHON=))
	$(if $(is_new),,$(error Python 3.11 or newer is needed and $(PYTHON) is $(version): name another with PYTHON=))
	$(if $(has_venv),,$(error Python's venv is missing: `apt-get install python3-venv` brings it))
	@echo "Making .venv with Python $(version)"
	@$(PYTHON) -m venv --clear .venv
	@touch $@
endif
