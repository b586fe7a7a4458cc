# Early stopping measured; docs/experiment.md says what, and is rewritten. EXPERIMENT_ARGS=--resume continues after
# the jobs that docs/experiment.json has; `python -m experiment --help` has more.
.PHONY: experiment
EXPERIMENT_ARGS ?=

experiment: venv builds images ## measure early stopping on the real cluster, Off against Auto: 90 minutes
	@$(PY) -m experiment run $(EXPERIMENT_ARGS)
