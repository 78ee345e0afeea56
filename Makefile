# `make demo` and `make test` make the virtual environment that they need, when it is missing or
# older than setup.cfg. PYTHON chooses the interpreter (3.10 to 3.13).
PYTHON ?= python3
VENV ?= .venv
# What the tests are installed with; add torch to run those of the PyTorch backend as well.
EXTRAS ?= test,jax
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_STAMP := $(VENV)/.installed-demo

.PHONY: help demo test lint clean

help:
	@echo "make demo   train, convert, compare and benchmark on scikit-learn's digits: runs/demo/report.html"
	@echo "make test   run the tests (with real images when LWCNN_DATA names their folder)"
	@echo "make lint   check the code with ruff"
	@echo "make clean  remove the virtual environment and the demo's results"

demo: $(DEMO_STAMP)
	$(BIN)/lwcnn run --data digits --out runs/demo
	@echo "Open runs/demo/report.html"

test: $(STAMP)
	$(BIN)/python -m pytest -n 2

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf $(VENV) runs/demo

$(BIN)/python:
	@echo "== making a virtual environment in $(VENV) with $(PYTHON)"
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v < (3, 14) else f"Python 3.10 to 3.13 is needed, {v[0]}.{v[1]} found; choose one with make PYTHON=...")'
	@$(PYTHON) -m venv $(VENV)

$(DEMO_STAMP): setup.cfg pyproject.toml | $(BIN)/python
	@echo "== installing keras-lwcnn and what it needs"
	@$(BIN)/python -m pip install --quiet --editable '.[convert]'
	@touch $@

$(STAMP): setup.cfg pyproject.toml | $(BIN)/python
	@echo "== installing keras-lwcnn with its test tools"
	@$(BIN)/python -m pip install --quiet --editable '.[$(EXTRAS)]'
	@touch $@ $(DEMO_STAMP)
