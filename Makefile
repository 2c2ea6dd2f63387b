# make demo | test: the two commands of the README; both make the environment first.
PYTHON ?= $(shell for p in python3.13 python3.12; do command -v $$p >/dev/null 2>&1 && $$p -c '' >/dev/null 2>&1 && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PROCESSES ?= 2
PARALLEL := -n $(PROCESSES) --dist loadfile --no-loadscope-reorder

.PHONY: env demo test test-all faults lint format bench clean

env: $(READY)

$(READY): pyproject.toml constraints.txt
	@echo "== environment in $(VENV) (some minutes the first time)"
	@if [ -n "$(PYTHON)" ]; then $(PYTHON) -m venv $(VENV); \
	 elif command -v uv >/dev/null 2>&1; then uv venv --seed --python 3.13 $(VENV); \
	 else echo "No Python 3.12 or 3.13 found. Install one, or uv (which fetches one)."; exit 1; fi
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -q -c constraints.txt -e ".[dev]"
	@touch $(READY)

demo: env
	$(BIN)/bayescausal demo --output demo-output

# Two processes share the cores: threads of BLAS would only get in each other's way. Each takes a
# file at a time, in the order of tests/conftest.py: what a file samples is sampled once.
test test-all: export OPENBLAS_NUM_THREADS = 1

test: env
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

test-all: env
	$(BIN)/python -m pytest $(PARALLEL) -m "" $(ARGS)

faults: env
	$(BIN)/python -m pytest -q -n 0 -m faults tests/test_faults.py tests/inference/test_fit.py $(ARGS)

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n 0 tests/test_layers.py

format: env
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: env
	$(BIN)/python benchmarks/speed/speed.py

clean:
	rm -rf $(VENV) demo-output build dist .pytest_cache .mypy_cache .ruff_cache
