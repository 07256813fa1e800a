# Needs Python >= 3.11 and make, nothing else.
.DEFAULT_GOAL := help
.PHONY: help setup run demo test soak lint reference bench audit fuzz
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

help: ## Show what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

setup: $(STAMP) ## Make .venv with the command cxloop in it

run: $(STAMP) ## Start everything on this machine; Ctrl-C stops and keeps the data (ARGS="--port-base 9000")
	@$(BIN)/cxloop up $(ARGS)

demo: $(STAMP) ## Load the demo company into a running instance
	@$(BIN)/cxloop demo run $(ARGS)

lint: $(STAMP) ## Style, types, walls between rooms, licences
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pip check
	@mkdir -p build && $(BIN)/pip-licenses > build/licences.txt && echo "All licences are on the list in pyproject.toml"

audit: $(STAMP) ## Known vulnerabilities of the locked packages, and a bill of materials; needs a network
	@.ci/audit

reference: $(STAMP) ## Write docs/generated anew: OpenAPI, AsyncAPI, JSON schemas, settings, metrics
	$(BIN)/python -m services.cli.reference

test: lint ## Lint, then all tests on a real PostgreSQL and a real Kafka (ARGS="-k kafka")
	@$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS) || { \
	  echo "Some tests failed side by side with others. Once more, alone; what fails again has failed."; \
	  $(BIN)/python -m pytest --last-failed --last-failed-no-failures none $(ARGS); }

soak: $(STAMP) ## Rows of the failure table in their long form, some minutes each (ARGS="-k killed")
	CXLOOP_SOAK=1 $(BIN)/python -m pytest tests/faults -p no:xdist -s $(ARGS)

fuzz: $(STAMP) ## Fuzz every parser and verifier, guided by coverage (ARGS="--seconds 60 --keep")
	@$(BIN)/python -m tests.edge.fuzz $(ARGS)

bench: $(STAMP) ## Measure, and write build/bench.json, a table and a picture
	$(BIN)/python -m tests.bench $(ARGS)

# The last line of the recipe makes the stamp, so a setup that was cut short starts again where it was.
$(STAMP): requirements.lock pyproject.toml
	@python=; for candidate in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    python=$$candidate; break; fi; done; \
	if [ -z "$$python" ]; then \
	  echo "cxloop needs Python 3.11 or later, and none was found." >&2; \
	  echo "Install one, or name it: make $(or $(MAKECMDGOALS),setup) PYTHON=/path/to/python3" >&2; exit 1; fi; \
	if [ ! -x $(BIN)/pip ]; then \
	  echo "Making $(VENV) with $$("$$python" --version)"; \
	  "$$python" -m venv $(VENV) || { rm -rf $(VENV); \
	    echo "Python's venv module is not complete; on Debian: apt install python3-venv" >&2; exit 1; }; fi
	@echo "Installing what requirements.lock names, checked by hash (a few minutes the first time)"
	@$(BIN)/python -m pip install --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps -e .
	@touch $(STAMP)
