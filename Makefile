# Works with GNU make 3.81 (macOS) and 4. `make` alone lists the targets; each sets up what it needs in .venv by itself.

PYTHON   ?= python3 python3.14 python3.13 python3.12 python3.11
VENV     := .venv
BIN      := $(VENV)/bin
PORT     ?= 8000
ARGS     ?=
PIP_ARGS ?=
WORKERS  ?= 2
PIP       = $(BIN)/python -m pip install -q --log $(VENV)/pip.log $(PIP_ARGS)

export NO_MKDOCS_2_WARNING := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help quiz site build test prove mistakes lint bench clean

help:
	@echo 'make quiz       practise in the terminal             make quiz ARGS="--topic vaes"'
	@echo 'make site       read in the browser                  make site PORT=8001'
	@echo 'make test       is the knowledge base true?          make test ARGS="tests/qa -k bank"'
	@echo 'make build      the site, strict, into site/'
	@echo 'make prove      make the evidence again              make prove ARGS="transformers/attention-scaling"'
	@echo 'make mistakes   every check against every mistake'
	@echo 'make lint       ruff, mypy and the questions'
	@echo 'make bench      benchmarks'
	@echo 'make clean      remove .venv, site/ and the caches'
	@echo
	@echo 'PYTHON=python3.12 chooses the interpreter of a new .venv (3.11 or newer); PIP_ARGS is handed to pip.'
	@echo 'WORKERS=8 runs the tests in eight processes, not two.'

quiz: $(VENV)/base-ready
	@$(BIN)/python -m qa.quiz $(ARGS)

site: $(VENV)/dev-ready
	@$(BIN)/python -c 'import socket; socket.create_server(("127.0.0.1", $(PORT)))' 2>/dev/null || \
	  { echo 'Port $(PORT) is taken here; take another: make site PORT=8001' >&2; exit 1; }
	@$(BIN)/python -m mkdocs serve --dev-addr 127.0.0.1:$(PORT) $(ARGS)

build: $(VENV)/dev-ready
	@$(BIN)/python -m mkdocs build --strict $(ARGS)

# An empty -m undoes the one in pyproject.toml, so the slow tests run as well.
test: $(VENV)/dev-ready
	@$(BIN)/python -m pytest -m "" -n $(WORKERS) --dist worksteal $(ARGS)

prove: $(VENV)/dev-ready
	@$(BIN)/python -m qa prove $(ARGS)

mistakes: $(VENV)/dev-ready
	@$(BIN)/python -m qa prove --mistakes $(ARGS)

lint: $(VENV)/dev-ready
	@$(BIN)/python -m ruff check
	@$(BIN)/python -m ruff format --check
	@$(BIN)/python -m mypy
	@$(BIN)/python -m qa lint

bench: $(VENV)/dev-ready
	@set -e; for script in tests/bench/bench_*.py; do echo "$$script"; $(BIN)/python $$script $(ARGS); done

clean:
	rm -rf $(VENV) site dist .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Setting up. A stamp is written last, so what was broken off is done again; a stamp older than pyproject.toml or
# constraints.txt is made anew, which takes seconds and no network when nothing is missing.

$(VENV)/base-ready: pyproject.toml constraints.txt
	$(call install,.,the quiz (a few small packages))
	@touch $@

$(VENV)/dev-ready: pyproject.toml constraints.txt
	$(call install,.[dev],everything (torch among it; README.md says what it weighs))
	@touch $(VENV)/base-ready $@

# $(call install,what pip is to install,what to call it). pip and the build tools come first, pinned like the rest.
define install
@set -e; \
if ! $(BIN)/python -c 'import pip' 2>/dev/null; then \
  found=; \
  for python in $(PYTHON); do \
    if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
  done; \
  if [ -z "$$found" ]; then \
    echo 'This needs Python 3.11 or newer, and found none as: $(PYTHON)' >&2; \
    echo 'Install one (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python@3.13),' >&2; \
    echo 'or say where it is: make PYTHON=/path/to/python3.13 $(MAKECMDGOALS)' >&2; \
    exit 1; \
  fi; \
  if ! "$$found" -m venv --clear $(VENV); then \
    echo "$$found cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2; \
    exit 1; \
  fi; \
fi; \
echo 'Setting up $(2) in $(VENV) ...'; \
rm -f $(VENV)/pip.log; \
if ! { $(PIP) -c constraints.txt pip hatchling editables setuptools && \
       $(PIP) -c constraints.txt --no-build-isolation -e '$(1)'; }; then \
  echo >&2; \
  if grep -q 'connection broken' $(VENV)/pip.log; then \
    echo 'The package index cannot be reached: is this machine offline, or behind a proxy?' >&2; \
    echo 'Try again with a connection; once everything is set up, nothing needs it.' >&2; \
  elif grep -qE '(No matching distribution found for|\(constraint\)) (torch|nvidia|cuda|triton)' $(VENV)/pip.log; then \
    echo 'There is no torch for this machine, or part of it is missing. It exists for Python 3.11 to 3.14 on Linux, and on' >&2; \
    echo 'Macs with Apple silicon. On Linux the CPU build needs less: see "What it weighs" in README.md.' >&2; \
    echo 'The quiz does without torch: make quiz' >&2; \
  fi; \
  echo 'What pip did is in $(VENV)/pip.log' >&2; \
  exit 1; \
fi
endef
