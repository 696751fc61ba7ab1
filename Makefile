# make demo       set up .venv, index the example documents, answer three questions
# make serve      the same documents on http://127.0.0.1:8000, with a first account;
#                 SERVE_ARGS="--port 8080" takes another port
# make test       all tests; real services that are not installed are listed as skipped
# make check      what each commit must pass: ruff, mypy, the layers, the fast tests
# make check-clock  the fast tests at another moment, in another time zone
# make acceptance end to end: thousands of documents, three people who ask
# make test-real  as root: install and start the real services, and test with them; in full
#                 where something has changed since they passed (tests/real/suites.py)
# make test-real-full  the same, everything in full; SUITES="push models" takes some
# make llm        a small model server for a machine without a GPU, in .llm (4 GB);
#                 LLM=llama.cpp takes that instead of vLLM (0.3 GB)
# make reader     train the reader of packages/dunegpt-reader again (half an hour);
#                 READER_ARGS="--extra-data EVAL --found FILE" with more data
# make schemas    write docs/schemas again after a change of dunegpt/schemas/*.py
#
# PYTHON=python3.12 takes another Python; PIP_ARGS="--index-url ..." another index.

# Where byte code is not kept, each process compiles all modules and tests anew.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
PIP_ARGS ?=
LLM ?= vllm
BIN := .venv/bin
DEMO := $(BIN)/dunegpt --config examples/dunegpt.toml
SUITES ?=
SERVE_ARGS ?=
READER_ARGS ?=
REAL := $(BIN)/python -m tests.real.run
UNIT := $(BIN)/pytest -q -rs -n 2 --ignore=tests/real --ignore=tests/acceptance
FAST := $(UNIT) -m "not slow" --hypothesis-profile=check
CLOCK ?= 2028-02-29T20:00
ZONE ?= Pacific/Pago_Pago

.PHONY: demo serve index install test unit real test-real test-real-full packages acceptance check \
  check-clock lint llm reader schemas clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "DUNE-GPT needs Python 3.11 or newer; name one with PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet $(PIP_ARGS) -c constraints.txt -e '.[dev]' \
	  ./packages/dunegpt-reader
	@touch $@

demo: index
	@echo; echo '$$ dunegpt ask "What is LTS-0007 about?"'
	@$(DEMO) ask "What is LTS-0007 about?"
	@echo; echo '$$ dunegpt ask "How much argon evaporates each hour when Larch loses electrical power?"'
	@$(DEMO) ask "How much argon evaporates each hour when Larch loses electrical power?"
	@echo; echo '$$ dunegpt ask "What is the radon concentration in the liquid argon of Larch?"'
	@$(DEMO) ask "What is the radon concentration in the liquid argon of Larch?"; test $$? -eq 3
	@echo; echo 'To go on:  export DUNEGPT_CONFIG=examples/dunegpt.toml PATH="$$PWD/$(BIN):$$PATH"'

index: install
	@$(BIN)/python examples/make_documents.py demo/documents
	@$(DEMO) crawl
	@$(DEMO) index

serve: index
	@$(DEMO) serve --first-account operator $(SERVE_ARGS)

test: install unit
	$(MAKE) --jobs=2 --output-sync=target acceptance real

unit: install
	$(UNIT)

real: install
	$(BIN)/pytest -q -rs tests/real

test-real: install
	$(REAL) $(REAL_ARGS) $(SUITES)

test-real-full: install
	$(REAL) --full $(SUITES)

packages: install
	$(REAL) --packages

acceptance: install
	ulimit -n 256; $(BIN)/pytest -q -rs --durations=3 tests/acceptance

check: lint
	$(FAST)

check-clock: install
	$(FAST) --clock $(CLOCK) --zone $(ZONE)

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

llm: install
	@$(BIN)/python examples/set_up_llm.py $(LLM)

reader: install
	nice -n 19 $(BIN)/python packages/dunegpt-reader/training/train.py \
	  --out packages/dunegpt-reader/dunegpt_reader $(READER_ARGS)

schemas: install
	$(BIN)/python docs/schemas/write.py

clean:
	rm -rf demo .cache build dist *.egg-info
