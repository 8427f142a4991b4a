# Paxos You Can Run: every command of the book. `make help` lists them. The logic is in tools/*.py.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
STRICT ?= 1
PORT ?= 8000
RUN := PATH="$(CURDIR)/.venv/bin:$$PATH" STRICT="$(STRICT)" .venv/bin/python

.PHONY: help book site notebooks paper figures serve lab test nightly live bench lock clean .venv

help:  ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

book: .venv  ## the whole book: site, notebooks and PDF
	@$(RUN) tools/build.py site notebooks paper

site: .venv  ## build/site/, the pages as HTML (STRICT=0: build even if a cell fails)
	@$(RUN) tools/build.py site

notebooks: .venv  ## build/notebooks/, the pages as executed notebooks
	@$(RUN) tools/build.py site notebooks

paper: .venv  ## build/paxos.pdf, the book as a typeset paper
	@$(RUN) tools/build.py site paper

figures: .venv  ## draw _static/images/ again (the only command that writes there)
	@$(RUN) -m paxos.figures --out _static/images

serve: .venv  ## the site at localhost, rebuilt and reloaded at every change (PORT=8000)
	@$(RUN) tools/build.py serve --port $(PORT)

lab:  ## the pages as notebooks in JupyterLab (PORT=8000)
	@$(MAKE) --no-print-directory .venv EXTRA=--lab
	@$(RUN) tools/build.py lab --port $(PORT)

test: .venv  ## every check: format, lint, types, spelling, tests, pages
	@$(RUN) tools/check.py

nightly: .venv  ## the long campaigns that `make test` leaves out
	@$(RUN) -m pytest -m nightly --durations=10 || { [ $$? -eq 5 ] && echo "No test is marked nightly yet."; }

live:  ## examine a storage service, with your account (URL=s3://bucket/place)
	@[ -n "$$URL" ] || { echo "Name a place of yours: make live URL=s3://bucket/place. \`paxos service list\` shows how." >&2; exit 2; }
	@$(MAKE) --no-print-directory .venv
	@$(RUN) -m paxos service check --thorough "$$URL"

bench: .venv  ## measure, and write benchmarks/results/
	@for f in benchmarks/bench_*.py; do $(RUN) $$f || exit 1; done

lock: .venv  ## choose the newest allowed packages again: requirements*.txt
	@$(RUN) tools/lock.py

clean:  ## remove .venv and everything built
	@rm -rf .venv build dist paxos/protocol/.ruff_cache .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv:
	@[ -n "$(PYTHON)" ] || { echo "No Python 3.11 or newer was found. Install one, or name it: make PYTHON=/path/to/python3.12 book" >&2; exit 2; }
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { echo "There is no command '$(PYTHON)'. Name an installed Python 3.11 or newer: make PYTHON=python3.12 book" >&2; exit 2; }
	@"$(PYTHON)" tools/environment.py $(EXTRA)
