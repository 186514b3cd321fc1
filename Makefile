# Everything works with plain pip and Python, too; the README has the same steps spelled out.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= out/quickstart

.PHONY: demo test lint rtl release-check clean

demo: $(VENV)/.installed
	$(BIN)/python workloads/fetch.py cnn
	$(BIN)/archsim sweep run sweeps/quickstart.yaml -o $(OUT)
	$(BIN)/archsim report $(OUT)
	@echo "The report is $(OUT)/report.html"

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# the committed Verilog and its synthesis figures, made anew
rtl: $(VENV)/.installed-dev
	$(BIN)/python rtl/regenerate.py

# what takes too long for every change; writes down what was checked, with which versions
release-check: $(VENV)/.installed-dev
	$(BIN)/python tests/release_check.py

clean:
	rm -rf $(VENV) out

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -e .
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -e '.[test]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	@touch $@ $(VENV)/.installed $(VENV)/.installed-test
