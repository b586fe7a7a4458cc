# The demo and the tests on the whole cluster. `python -m demo --help` has more about the first;
# DEMO_ARGS="--save-svg FILE" saves a picture.
.PHONY: builds demo demo-down e2e
DEMO_ARGS ?=
E2E_ARGS ?=

# The one waits for the processor, the other for the network.
builds: packages
	@$(MAKE) --no-print-directory -j2 cluster-build images-build

demo: venv builds images ## tune a small network on Fashion-MNIST in a real cluster, and watch it
	@$(PY) -m demo up $(DEMO_ARGS)

demo-down: venv ## remove what the demo installed (make cluster-down stops the cluster)
	@$(PY) -m demo down

e2e: venv builds images ## the tests on the whole cluster
	$(call pytest,tests -m e2e $(E2E_ARGS))
