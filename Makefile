# What a fresh machine with Python 3.11+, git and make needs: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
PACKAGES := packages/ap-core packages/ap-models packages/ap-train packages/ap-bench packages/ap-llm
EDITABLE := $(foreach package,$(PACKAGES),-e $(package))
OUTPUT ?= runs/demo-$(shell date +%Y%m%d-%H%M%S)

.PHONY: setup demo test coverage lint bench docs clean

setup: .venv/.ready

# With uv half a minute, without it a few minutes: torch is large.
.venv/.ready: pyproject.toml constraints.txt $(wildcard packages/*/pyproject.toml)
	@if command -v uv >/dev/null; then \
		uv venv --quiet --allow-existing --python $(PYTHON) .venv && \
		uv pip install --quiet --python $(BIN)/python -c constraints.txt --group dev $(EDITABLE) .; \
	else \
		$(PYTHON) -m venv .venv && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1' && \
		$(BIN)/python -m pip install --quiet -c constraints.txt --group dev $(EDITABLE) .; \
	fi
	@$(BIN)/python -m compileall -q -j 0 .venv/lib >/dev/null 2>&1 || true
	@touch $@

demo: setup
	$(BIN)/ap demo --output $(OUTPUT)

# One thread a worker: two workers fill two cores, and results do not depend on the machine's.
TESTS := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile \
	--no-loadscope-reorder --durations=40 --durations-min=5

test: setup
	$(TESTS)

# What the tests run of ap_core; following every line makes them take twice as long.
coverage: setup
	$(TESTS) --cov=ap_core --cov-branch --cov-report=term:skip-covered --cov-fail-under=95

lint: setup
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(foreach package,$(PACKAGES),$(package)/src)
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python -m benchmarks

docs: setup
	$(BIN)/python docs/generate.py

clean:
	rm -rf .venv runs build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
