# Everything a developer or a user on a fresh machine types. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

export TUNING_OPERATOR_CACHE ?= $(HOME)/.cache/tuning-operator
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python

include console/console.mk cluster/cluster.mk trainer/adapters.mk images/images.mk images/sbom.mk charts/charts.mk docs/docs.mk demo/demo.mk experiment/experiment.mk tests/faults/faults.mk tests/soak/soak.mk release/release.mk

.PHONY: help venv lock check format lint types imports unit slow coverage api test clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 18

venv: $(VENV)/.synced ## the Python environment, from the lock file with hashes

$(VENV)/.synced: requirements.lock operator/pyproject.toml trainer/pyproject.toml client/pyproject.toml console/pyproject.toml
	@test -x $(VENV)/bin/uv || { $(PYTHON) -m venv $(VENV) && $(VENV)/bin/pip install --quiet --disable-pip-version-check \
	  --no-deps --require-hashes -r images/torch/tools.lock; }
	$(VENV)/bin/uv pip install --python $(PY) --quiet --require-hashes -r requirements.lock
	$(VENV)/bin/uv pip install --python $(PY) --quiet --no-deps -e operator -e trainer -e client -e console
	@touch $@

lock: ## resolve the dependencies again
	$(VENV)/bin/uv pip compile -q operator/pyproject.toml client/pyproject.toml console/pyproject.toml --extra run --group dev \
	  --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o requirements.lock

check: format lint types imports unit ## format, lint, types, import contracts, unit tests: two minutes

format: venv
	@$(VENV)/bin/ruff format --check --quiet .

lint: venv
	@$(VENV)/bin/ruff check --quiet .

types: venv
	@$(VENV)/bin/mypy operator/src trainer/src client/src console/src cluster benchmarks demo experiment tests docs images \
	  release

imports: venv
	@$(VENV)/bin/lint-imports
	@for each in operator trainer client console; do \
	  (cd $$each && ../$(VENV)/bin/deptry -pmnm google-re2=re2,pillow=PIL,pyyaml=yaml src) || exit 1; done

define pytest
@echo "== $@"; $(PY) -m pytest -q $(1)
endef
# The files with a marker: to import all others as well takes each worker half a minute.
marked = $$(grep -rlE --include='test_*.py' 'mark\.$(1)\b' tests)

# The core's own tests run under `coverage`, once; its model's are left out of the measure, since torch is slow there.
unit: coverage ## the pure tests
	$(call pytest,tests --ignore-glob='*/unit/core/test_*' -n auto \
	  -m "not api and not browser and not e2e and not faults and not slow and not release and not adapters")

slow: venv ## the pure tests that take longer
	$(call pytest,$(call marked,slow) -n auto --dist worksteal -m slow)

coverage: venv ## how much of the core its own tests cover, and that it is no less than the floor
	$(call pytest,tests/unit/core --ignore=tests/unit/core/suggest -n auto -m "not slow" --cov --cov-report=term-missing)

# One worker more than processors: much of it is waiting.
api: venv cluster-build ## the tests on a real API server and a real Prometheus
	$(call pytest,$(call marked,api) -n $$(( $$(nproc) + 1 )) --dist loadgroup -m api)

# One after the other: what waits for a cluster is judged by time, which it loses beside what takes the processor.
test: check builds slow faults-fast api e2e ## all tests but those in a browser (console-test): unit, faults, API server, whole cluster

clean: ## remove the Python environments and the website (make cluster-down stops the cluster)
	rm -rf $(VENV) $(SITE_VENV) $(ADAPTERS) .site
