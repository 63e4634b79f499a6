# Every target needs nothing but Python >= 3.11 and make (`small` and `hosts` say what else): it creates .venv and
# installs what is missing there.
PYTHON ?= python3
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
IDENTITY := import sys; print(sys.base_prefix, sys.version)
VENV := .venv
BIN := $(VENV)/bin
RUNNABLE := $(VENV)/.runnable
INSTALLED := $(VENV)/.installed
# One thread a worker: threads of two workers would wait for each other's.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(or $(WORKERS),2) --dist loadfile

.PHONY: FORCE run frontier test test-fast test-long test-all coverage gate baseline lint types check small hosts bench first-contact chaos load fuzz audit leaderboard-check docs illustrate lock clean
.DEFAULT_GOAL := run

# The environment is kept while its Python works, is new enough and, where PYTHON is named, is that one.
$(VENV)/pyvenv.cfg: FORCE
	@if $(BIN)/python -c '$(NEW_ENOUGH)' 2> /dev/null && { [ "$(origin PYTHON)" = file ] || \
	  [ "$$($(BIN)/python -c '$(IDENTITY)')" = "$$($(PYTHON) -c '$(IDENTITY)')" ]; }; then exit 0; fi; \
	$(PYTHON) -c '$(NEW_ENOUGH)' || { \
	  echo "$(PYTHON) is $$($(PYTHON) -V 2>&1); pedbench needs Python 3.11 or newer." >&2; \
	  echo "Install one and name it: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }; \
	rm -rf $(VENV) && echo "making $(VENV) with $(PYTHON)" && $(PYTHON) -m venv $(VENV)

$(RUNNABLE): $(VENV)/pyvenv.cfg pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --upgrade pip -c constraints.txt
	$(BIN)/python -m pip install --editable '.[bench,probes]' --editable ./tools/weights -c constraints.txt
	touch $@

$(INSTALLED): $(RUNNABLE)
	$(BIN)/python -m pip install --editable '.[dev]' --editable ./tools/weights -c constraints.txt
	touch $@

run: $(RUNNABLE)  ## the mini suite: utility, privacy and latency of every defense, in minutes
	$(BIN)/python run_all.py $(ARGS)

frontier: $(RUNNABLE)  ## the suite frontier, joined with the newest run of mini in one report
	$(BIN)/python run_all.py frontier --out reports/frontier $(ARGS)
	$(BIN)/python -m pedbench report reports/latest reports/frontier/latest

test: $(INSTALLED)  ## all tests but the long ones
	$(PYTEST) -m 'not long' $(ARGS)

test-fast: $(INSTALLED)  ## tests of less than half a second
	$(PYTEST) -m 'not slow and not long' $(ARGS)

test-long: $(INSTALLED)  ## the long tests alone: faults, kills, trainings, ViT-B, Ray, the wheel
	$(PYTEST) -m long $(ARGS)

test-all: $(INSTALLED)  ## all tests, the long ones too
	$(PYTEST) $(ARGS)

coverage: $(INSTALLED)  ## branch coverage of pedbench/ by all tests, without what runs in processes of their own
	$(PYTEST) --cov --cov-report=term:skip-covered $(ARGS)

gate: $(INSTALLED)  ## the quick part of mini, held to the committed baseline
	$(BIN)/python -m pedbench run mini --quick --fresh
	$(BIN)/python -m pedbench gate --baseline reports/baselines/mini-quick.jsonl $(ARGS)

baseline: $(INSTALLED)  ## make the committed baseline anew: make baseline ARGS='--why "..."'
	$(BIN)/python -m tools.release.baseline $(ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m tools.style
	$(BIN)/python -m pytest -q --noconftest tests/test_layers.py

types: $(INSTALLED)
	$(BIN)/mypy pedbench attacks defenses datasets tools tests run_all.py

check: lint types test  ## lint, types and all tests

small:  ## the small install in an environment of its own: make small PYTHON=python3.10 ARGS=oldest
	.ci/small $(PYTHON) $(ARGS)

hosts: $(INSTALLED)  ## the suite latency across four network namespaces, as root, into docs/measured/hosts.md
	$(BIN)/python -m tools.hosts $(ARGS)

bench: $(INSTALLED)  ## how fast the encoder and the harness are; ARGS=--short for a minute's look
	$(BIN)/python -m tools.benchmarks $(ARGS)

first-contact: $(RUNNABLE)  ## the first hour on a GPU, on one page; DEVICE=cpu SMALL=1 to try it without
	PYTHON=$(BIN)/python tools/first_contact.sh

chaos: $(INSTALLED)  ## let passes and runs fail in every way, and write what came of it into docs/measured/reliability.md
	$(BIN)/python -m tools.chaos $(ARGS)

load: $(INSTALLED)  ## many pictures at a time over many servers, for five minutes
	$(BIN)/python -m tools.chaos.load $(ARGS)

fuzz: $(INSTALLED)  ## hostile bytes for every reader of foreign bytes: make fuzz ARGS='--cases 100000 --minutes 10'
	$(BIN)/python -m tests.fuzz $(ARGS)

audit: $(INSTALLED)  ## known weaknesses of the pinned versions, and pins that are missing; tells if it cannot ask
	$(BIN)/python -m tools.release.audit $(ARGS)

leaderboard-check: $(INSTALLED)  ## verify a proposed submission: ARGS="PROPOSED --changed FILE --out FOLDER"
	$(BIN)/python -m tools.leaderboard_check $(ARGS)

docs: $(INSTALLED)  ## the site, in build/docs/site, with the report of the newest run or of ARGS=RUN; links are checked
	$(BIN)/python -m tools.pages $(ARGS)

illustrate: $(INSTALLED)  ## write the newest run and fresh pictures into the documents
	$(BIN)/python -m tools.documents $(ARGS)

lock: $(INSTALLED)  ## pin the versions that are installed now
	$(BIN)/python -m pip freeze --exclude-editable --exclude pip > constraints.txt

clean:
	rm -rf $(VENV) build dist *.egg-info
