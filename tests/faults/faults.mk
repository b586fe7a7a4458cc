# Tests behind the fault-injecting proxies; `python3 -m tests.faults --help` has more choices.
.PHONY: faults faults-fast

faults: venv cluster-build ## all faults, at every write and on every verb; ends with a report
	@$(PY) -m tests.faults

faults-fast: venv cluster-build ## a subset of the faults: a minute
	$(call pytest,tests/faults -m faults)
