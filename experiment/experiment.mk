# Early stopping measured; docs/experiment.md tells what, and is written anew. EXPERIMENT_ARGS=--resume goes on after
# the jobs that docs/experiment.json has; `python -m experiment --help` has more.
.PHONY: experiment
EXPERIMENT_ARGS ?=

experiment: venv builds images ## measure early stopping on the real cluster, Off against Auto: 90 minutes
	@$(PY) -m experiment run $(EXPERIMENT_ARGS)
