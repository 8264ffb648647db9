# make install      .venv with educe and everything the tests need
# make quickstart   the shipped study, from nothing to a report
# make test         lint, types and the default tests
# make test-all     the slow tests too
# make benchmark    paired speed comparisons with other tools -> docs/benchmarks.md
# make benchmark-gpu  the same on a GPU, which nobody has measured yet; without one it only shows that it runs
# make clean        caches and build leftovers; .venv and runs/ stay
#
# Each target does its own set-up, and does nothing twice. PYTHON chooses the interpreter (3.11 or newer).
# On Linux, PyPI's torch is a CUDA build of several gigabytes. For the much smaller CPU build:
#   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make install

PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check install
# Every file is checked against its hash here. What is left for the second step is torch, what its build needs, and educe.
PIP_HASHED := $(PIP) --no-deps --require-hashes
PIP_INSTALL := $(PIP) --no-build-isolation -c constraints.txt
SETUP := pyproject.toml setup.py constraints.txt hashes/install.txt hashes/extras.txt
INSTALLED := $(VENV)/.installed
INSTALLED_ALL := $(VENV)/.installed-all
QUICKSTART := runs/quickstart
LINKS := build/links

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install quickstart test test-all benchmark benchmark-gpu check clean

help:
	@sed -n 's/^# \{0,1\}//;1,/^$$/p' Makefile

install: $(INSTALLED)

quickstart: $(INSTALLED)
	$(VENV)/bin/educe run recipes/studies/quickstart.yaml --out $(QUICKSTART)
	@echo "report: $(CURDIR)/$(QUICKSTART)/report.html"

test: check $(LINKS)
	$(PY) -m pytest -m "not slow" -n 2 --dist loadfile

test-all: $(INSTALLED_ALL) check $(LINKS)
	$(PY) -m pytest

benchmark: $(INSTALLED_ALL) $(LINKS)
	$(PY) -m tests.benchmarks

benchmark-gpu: $(INSTALLED_ALL) $(LINKS)
	$(PY) -m tests.benchmarks gpu

check: $(INSTALLED) $(LINKS)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

# Each floor under its import name, for mypy and the shape checks, which do not follow an editable install.
$(LINKS): Makefile
	mkdir -p $@/educe
	ln -sfn ../../../educe/__init__.py $@/educe/__init__.py
	for floor in data eval train recipes; do ln -sfn ../../../$$floor $@/educe/$$floor; done
	@touch $@

clean:
	rm -rf build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find data eval train recipes tests -name __pycache__ -type d -prune -exec rm -rf {} +

# pip is the last thing that creating an environment installs, so its absence means a creation that was cut off.
$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "educe needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 | tail -n 1)." >&2; \
	    echo "Name a newer one: make PYTHON=python3.12 install" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): $(SETUP) | $(VENV)/bin/pip
	$(PIP_HASHED) -r hashes/install.txt
	$(PIP_INSTALL) -e '.[track,dev]'
	@touch $@

$(INSTALLED_ALL): $(SETUP) | $(INSTALLED)
	$(PIP_HASHED) -r hashes/extras.txt
	$(PIP_INSTALL) -e '.[track,tensorboard,dev,interop,distributed,quantized,ray,slurm,sql]'
	@touch $@
