# make demo       set up .venv, index the example documents, answer three questions
# make test       all tests; real parts that are not installed are named as skipped
# make test-real  install and start the real parts (root), and test with them
# make acceptance the journey: thousands of documents, three people who ask
# make check      what each commit must pass: ruff, mypy, the fast tests
# make llm        a small model server for a machine without a GPU, in .llm (4 GB);
#                 LLM=llama.cpp takes that instead of vLLM (0.3 GB)
# make schemas    write docs/schemas again after a change of dunegpt/*schemas.py
#
# PYTHON=python3.12 takes another Python; PIP_ARGS="--index-url ..." another index.

PYTHON ?= python3
PIP_ARGS ?=
LLM ?= vllm
BIN := .venv/bin
DEMO := $(BIN)/dunegpt --config examples/dunegpt.toml
REAL := DUNEGPT_REAL=required $(BIN)/pytest -q -rs

.PHONY: demo install test real test-real real-indico real-indico-steps real-models \
  acceptance check llm schemas clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "DUNE-GPT needs Python 3.11 or newer; name one with PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet $(PIP_ARGS) -c constraints.txt -e '.[dev]'
	@touch $@

demo: install
	@$(BIN)/python examples/make_documents.py demo/documents
	@$(DEMO) crawl
	@$(DEMO) index
	@echo; echo '$$ dunegpt ask "What is LTS-0007 about?"'
	@$(DEMO) ask "What is LTS-0007 about?"
	@echo; echo '$$ dunegpt ask "How much argon evaporates each hour when Larch loses electrical power?"'
	@$(DEMO) ask "How much argon evaporates each hour when Larch loses electrical power?"
	@echo; echo '$$ dunegpt ask "What is the radon concentration in the liquid argon of Larch?"'
	@$(DEMO) ask "What is the radon concentration in the liquid argon of Larch?"; test $$? -eq 3
	@echo; echo 'To go on:  export DUNEGPT_CONFIG=examples/dunegpt.toml PATH="$$PWD/$(BIN):$$PATH"'

test: install
	$(BIN)/pytest -q -rs -n 2 --ignore=tests/real --ignore=tests/acceptance
	$(MAKE) --jobs=2 --output-sync=target acceptance real

real:
	$(BIN)/pytest -q -rs tests/real

# The programs first: they come by apt-get, as Indico's do. Then two Indicos, each with
# half of its tests, beside the rest: an Indico answers one request after the other.
test-real: install
	$(REAL) tests/real/test_programs.py tests/real/test_push.py
	$(MAKE) --jobs=3 --output-sync=target real-indico real-indico-steps real-models

real-indico:
	$(REAL) tests/real/test_indico.py tests/real/test_indico_runs.py

real-indico-steps:
	$(REAL) tests/real/test_indico_steps.py

real-models:
	$(REAL) tests/real --ignore=tests/real/test_programs.py \
	  --ignore=tests/real/test_push.py --ignore-glob='*/test_indico*.py'

acceptance: install
	$(BIN)/pytest -q -rs --durations=3 tests/acceptance

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -q -n 2 -m "not slow" --ignore=tests/real --ignore=tests/acceptance

llm: install
	@$(BIN)/python examples/set_up_llm.py $(LLM)

schemas: install
	$(BIN)/python docs/schemas/write.py

clean:
	rm -rf demo .cache build dist *.egg-info
