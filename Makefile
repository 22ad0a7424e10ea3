# Two commands are enough: `make quick` and `make test`. Both make .venv on first use and reuse it.
PYTHON ?= $(firstword $(foreach v,3.13 3.12 3.11,$(if $(shell python$(v) -c "print(1)" 2>/dev/null),python$(v))) python3)
BENCH = .venv/bin/bench
SIDE_BY_SIDE = tests/contract tests/docker/test_studies.py tests/unit

.PHONY: help quick test lint clean lock parity bench-overhead papers

help: ## Show this list.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

quick: .venv/.ready ## Compare TensorFlow, PyTorch and Theano on three small models (docker if it answers, else local).
	$(BENCH) orchestrate --frameworks tf,torch,theano --suite quick

# Contract, study and unit tests compare no times, so that two run side by side; the others have the machine to themselves.
test: .venv/.ready ## Run every test; those that need Docker or real data skip where there is none.
	.venv/bin/python -m pytest --numprocesses 2 --dist worksteal $(SIDE_BY_SIDE)
	.venv/bin/python -m pytest $(addprefix --ignore ,$(SIDE_BY_SIDE))

lint: .venv/.ready ## Run ruff and mypy, as the tests do.
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

lock: .venv/.ready ## Pin again what pyproject.toml and docker/*/requirements*.in ask for.
	sh docker/lock.sh

parity: .venv/.ready ## Hold every framework to the reference, over the whole matrix (hours; OPTIONS as below).
	.venv/bin/python -m benchmarks.parity --output docs/parity.md $(OPTIONS)

bench-overhead: .venv/.ready ## Measure what Bakeoff itself costs (an hour; OPTIONS="--frameworks torch" for less).
	.venv/bin/python benchmarks/overhead.py $(OPTIONS)

papers: .venv/.ready ## The four papers' experiments, small, in every framework, as reports/papers.html (hours; goes on where it was).
	.venv/bin/python -m benchmarks.papers $(OPTIONS)

clean: ## Remove .venv and what tools left behind.
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache

.venv/.ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Bakeoff needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --require-hashes -r requirements.txt
	.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
