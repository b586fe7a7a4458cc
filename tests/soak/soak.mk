# Long runs, which `make test` has no time for.
.PHONY: soak simulation

SOAK_MINUTES ?= 30

soak: venv cluster-build ## does the operator's memory grow? Half an hour of small jobs (SOAK_MINUTES=30)
	@$(PY) -m tests.soak.soak --minutes $(SOAK_MINUTES)

simulation: venv ## random histories of a job with crashes and rivals: 100,000 of them, hours
	@$(PY) -m pytest tests/unit/simulation/test_simulation.py -q -s -m slow --hypothesis-profile=long --timeout=0
