# make run and make test need nothing but Python >= 3.11 and make: they create .venv and install what is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: run test test-fast gate baseline lint types check bench chaos load fuzz audit illustrate lock clean
.DEFAULT_GOAL := run

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip -c constraints.txt
	$(BIN)/python -m pip install --editable '.[dev]' -c constraints.txt
	touch $@

run: $(INSTALLED)  ## the mini suite: utility, privacy and latency of every defense, in minutes
	$(BIN)/python run_all.py $(ARGS)

test: $(INSTALLED)  ## all tests
	$(BIN)/python -m pytest $(ARGS)

test-fast: $(INSTALLED)  ## tests of a few seconds only
	$(BIN)/python -m pytest -m 'not slow' $(ARGS)

gate: $(INSTALLED)  ## the quick part of mini, held to the committed baseline
	$(BIN)/python -m pedbench run mini --quick --fresh
	$(BIN)/python -m pedbench gate --baseline reports/baselines/mini-quick.jsonl $(ARGS)

baseline: $(INSTALLED)  ## make the committed baseline anew: make baseline ARGS='--why "..."'
	$(BIN)/python -m tools.release.baseline $(ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m tools.style

types: $(INSTALLED)
	$(BIN)/mypy pedbench attacks defenses datasets tools tests run_all.py

check: lint types test  ## lint, types and all tests

bench: $(INSTALLED)  ## how fast the encoder and the harness are; ARGS=--short for a minute's look
	$(BIN)/python -m tools.benchmarks $(ARGS)

chaos: $(INSTALLED)  ## let passes and runs fail in every way, and write what came of it into docs/measured/reliability.md
	$(BIN)/python -m tools.chaos $(ARGS)

load: $(INSTALLED)  ## many pictures at a time over many servers, for five minutes
	$(BIN)/python -m tools.chaos.load $(ARGS)

fuzz: $(INSTALLED)  ## hostile bytes for every reader of foreign bytes: make fuzz ARGS='--cases 100000 --minutes 10'
	$(BIN)/python -m tests.fuzz $(ARGS)

audit: $(INSTALLED)  ## known weaknesses of the pinned versions, and pins that are missing; tells if it cannot ask
	$(BIN)/python -m tools.release.audit $(ARGS)

illustrate: $(INSTALLED)  ## write the newest run and fresh pictures into the documents
	$(BIN)/python -m tools.pages $(ARGS)

lock: $(INSTALLED)  ## pin the versions that are installed now
	$(BIN)/python -m pip freeze --exclude-editable --exclude pip > constraints.txt

clean:
	rm -rf $(VENV) build dist *.egg-info
