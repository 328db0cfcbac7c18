# Everything is run through this file: `make` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
SOURCES := app.py wsgi.py gunicorn.conf.py dicomweb storage index cli tests bench

.DEFAULT_GOAL := help
.PHONY: help run test lint type fmt bench lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.run ## start the server, with the index and the blobs in ./data unless set otherwise
	@exec $(BIN)/gunicorn --config gunicorn.conf.py wsgi:application

test: $(VENV)/.dev ## run all tests
	$(BIN)/pytest $(ARGS)

lint: $(VENV)/.dev ## check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: $(VENV)/.dev ## check types
	$(BIN)/mypy

fmt: $(VENV)/.dev ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## measure the server on this machine; ARGS="--help" lists the options
	$(BIN)/python -m bench.run $(ARGS)

lock: $(VENV)/.dev ## pin the dependencies of pyproject.toml anew, with hashes
	$(PIP) install pip-tools
	$(BIN)/pip-compile $(LOCK) --output-file requirements/run.txt pyproject.toml
	$(BIN)/pip-compile $(LOCK) --allow-unsafe --constraint requirements/run.txt \
		--extra test --extra dev --output-file requirements/dev.txt pyproject.toml

LOCK := --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --strip-extras \
	--no-header --annotation-style line

clean: ## remove what the other targets made, but not ./data
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis bench/out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'Python 3.11 or newer is needed; name it: make PYTHON=python3.12'; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
		|| { rm -rf $(VENV); echo 'on Debian: apt-get install python3-venv'; exit 1; }

$(VENV)/.run: $(VENV)/pyvenv.cfg requirements/run.txt
	$(PIP) install --require-hashes --no-deps -r requirements/run.txt
	@touch $@

$(VENV)/.dev: $(VENV)/pyvenv.cfg requirements/run.txt requirements/dev.txt
	$(PIP) install --require-hashes --no-deps -r requirements/dev.txt
	@touch $@ $(VENV)/.run
