# `make` without a target lists the targets. The only prerequisites are Python 3.11+ and make.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
TAPEWATCH := $(VENV)/bin/tapewatch
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test slow chaos soak compose-test lint types bench scale autoencoder lock lock-images clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## run a generated day through the whole pipeline; DATA=FILE[,FILE…] for your own files, LIVE=coinbase:BTC-USD for a live market, STORAGE=1 for Postgres beside it, ONCE=1 to exit when indexed
	@exec $(TAPEWATCH) demo $(if $(ONCE),--once) $(if $(DATA),--data '$(DATA)') $(if $(LIVE),--live '$(LIVE)') $(if $(STORAGE),--storage) $(ARGS)

test: $(INSTALLED) ## run the tests, including those against real Kafka and Elasticsearch, in under 10 minutes
	@exec $(VENV)/bin/python -m pytest --numprocesses 2 --dist loadfile -m "not slow" $(ARGS)

slow: $(INSTALLED) ## run the tests that take more than 20 seconds each, and most of those in a browser
	@exec $(VENV)/bin/python -m pytest --numprocesses 2 --dist loadfile -m slow $(ARGS)

chaos: $(INSTALLED) ## kill every part repeatedly while a day is processed, and compare the result; three seeds, 50 kills each
	@exec $(VENV)/bin/python -m tests.chaos.run $(ARGS)

soak: $(INSTALLED) ## run everything for 20 minutes with a fault a minute, and watch what grows
	@exec $(VENV)/bin/python -m tests.soak.run $(ARGS)

compose-test: $(INSTALLED) ## test docker compose up: process a day while every container is restarted, killed and halted; remove everything again
	@exec $(VENV)/bin/python -m tests.compose.run $(ARGS)

lint: $(INSTALLED) ## check style, formatting and types
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy

types: $(INSTALLED) ## check types alone, with mypy in strict mode
	@$(VENV)/bin/mypy

bench: $(INSTALLED) ## run the benchmarks and print the table of docs/performance.md; ARGS='--only peers' for other engines
	@exec $(VENV)/bin/python -m benchmarks.pipeline $(ARGS)

scale: $(INSTALLED) ## stream 38 million trades, 8,000 symbols and a market's open in about twenty minutes; needs 15 GB of disk
	@exec $(VENV)/bin/python -m benchmarks.scale.run $(ARGS)

autoencoder: $(INSTALLED) ## make the environment that trains the autoencoder: JAX, 630 MB
	@exec $(VENV)/bin/python -m services.detector.offline.training.kinds.autoencoder.environment

install: $(INSTALLED) ## create .venv with every extra, from the hash-pinned lock

$(INSTALLED): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Tapewatch needs Python 3.11 or newer with its venv module." >&2; \
		echo "Install it (Debian and Ubuntu: python3 and python3-venv), or choose one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@echo "Installing into $(VENV) with $(PYTHON) (the first time takes a minute or two) ..."
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

lock: $(INSTALLED) ## update requirements.lock to the newest allowed versions
	@$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --all-extras --upgrade --generate-hashes \
		--no-emit-index-url --no-header --no-annotate -o requirements.lock pyproject.toml

lock-images: $(INSTALLED) ## pin the containers' images to the newest patch and its digest; needs Docker, or ARGS='--registry URL'
	@exec $(VENV)/bin/python -m infra.docker.lock_images $(ARGS)

clean: ## delete .venv and out
	rm -rf $(VENV) out
