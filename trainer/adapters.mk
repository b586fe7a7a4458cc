# The adapters for training frameworks, tested on the frameworks themselves in a separate environment.
.PHONY: adapters adapters-lock

ADAPTERS := .venv-adapters

adapters: $(ADAPTERS)/.synced ## the framework adapters, on the real frameworks
	@echo "== $@"; $(ADAPTERS)/bin/python -m pytest -q tests/adapters -m adapters

$(ADAPTERS)/.synced: trainer/adapters.lock trainer/pyproject.toml | venv
	@test -x $(ADAPTERS)/bin/python || $(VENV)/bin/uv venv --quiet --python $(PY) $(ADAPTERS)
	$(VENV)/bin/uv pip install --python $(ADAPTERS)/bin/python --quiet --require-hashes --no-deps -r trainer/adapters.lock
	$(VENV)/bin/uv pip install --python $(ADAPTERS)/bin/python --quiet --no-deps -e trainer
	@touch $@

adapters-lock: venv ## resolve the frameworks to their newest releases
	$(VENV)/bin/uv pip compile -q trainer/adapters.in trainer/pyproject.toml --universal --python-version 3.11 \
	  --override trainer/adapters-overrides.txt --generate-hashes --no-emit-index-url --no-header \
	  -c requirements.lock -o trainer/adapters.lock
