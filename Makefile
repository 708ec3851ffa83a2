# Works with GNU make 3.81 (macOS) and 4. `make` alone lists the targets; each sets up what it needs in .venv by itself.

PYTHON   ?= python3 python3.14 python3.13 python3.12 python3.11
VENV     := .venv
BIN      := $(VENV)/bin
PORT     ?= 8000
ARGS     ?=
PIP_ARGS ?=
WORKERS  ?= 2

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
	@echo 'PYTHON=python3.12 chooses the interpreter (3.11 or newer); PIP_ARGS is handed to pip.'

quiz: $(VENV)/base-ready
	@$(BIN)/python -m qa.quiz $(ARGS)

site: $(VENV)/dev-ready
	@echo 'The site will be at http://127.0.0.1:$(PORT)/ (Ctrl-C stops it).'
	@$(BIN)/python -m mkdocs serve --dev-addr 127.0.0.1:$(PORT) $(ARGS)

build: $(VENV)/dev-ready
	@$(BIN)/python -m mkdocs build --strict $(ARGS)

# An empty -m undoes the one in pyproject.toml, so the slow tests run as well.
test: $(VENV)/dev-ready
	@$(BIN)/python -m pytest -m "" -n $(WORKERS) $(ARGS)

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
	@$(BIN)/python -m pytest tests/bench -m "" -s $(ARGS)

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

# $(call install,what pip is to install,what to call it). The build tools come first and are pinned like the rest.
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
if ! { $(BIN)/python -m pip install -q $(PIP_ARGS) -c constraints.txt hatchling editables setuptools && \
       $(BIN)/python -m pip install -q $(PIP_ARGS) -c constraints.txt --no-build-isolation -e '$(1)'; }; then \
  echo >&2; \
  echo 'Installing failed; above is what pip says. No connection: try again with one; nothing needs it later.' >&2; \
  echo 'No matching torch: it exists for Python 3.11 to 3.14 on Linux and on Macs with Apple silicon.' >&2; \
  echo '`make quiz` does without torch.' >&2; \
  exit 1; \
fi
endef
