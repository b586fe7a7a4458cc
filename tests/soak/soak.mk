# Long runs, which `make test` has no time for.
.PHONY: soak

SOAK_MINUTES ?= 30

soak: venv cluster-build ## does the operator's memory grow? Half an hour of small jobs (SOAK_MINUTES=30)
	@$(PY) -m tests.soak.soak --minutes $(SOAK_MINUTES)
